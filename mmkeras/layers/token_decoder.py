from typing import Any, Unpack

import keras
from keras import ops

from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.decoder_block import DecoderBlock
from mmkeras.layers.options import LayerOptions

PAD, UNKNOWN = 0, 1  # as in `heads.units`


@keras.saving.register_keras_serializable("mmkeras")
class TokenDecoder(keras.layers.Layer):
    """Which token comes next: token and position embeddings, decoder blocks, logits over all tokens.

    `call` is for training: under teacher forcing, every token is predicted from the true ones before it. To answer,
    the layers of `mmkeras.decoding` ask it token by token: `start`, then `step` as often as there are tokens.

    Ids: 0 is padding, and stands before the first token; 1 is an unknown token; the last one, V - 1, is the end.

    Masking: see `DecoderBlock`.

    Args:
        num_ids: V, how many ids there are.
        max_tokens: L, the longest sequence, its end included.
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        num_layers: of `DecoderBlock`.
        dropout: of the embeddings and in each block, while training.

    Call arguments:
        memory: (B, M, any width) float.
        mask: of the memory (B, M), bool.
        labels: (B, L) int32, the sequences to learn: tokens, the end, 0 behind it; negative ones count as 0.

    Returns:
        Logits (B, L, V) float32, also in mixed precision.

    Raises:
        ValueError: `num_heads` do not divide `dim`, or a size is below 1.

    Example:

    >>> decoder = TokenDecoder(10, max_tokens=4, dim=8, num_heads=2)
    >>> labels = np.array([[2, 3, 9, 0]])
    >>> decoder(np.zeros((1, 5, 3), "float32"), np.ones((1, 5), bool), labels).shape
    TensorShape([1, 4, 10])

    Source: Vaswani et al., arXiv 1706.03762.
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def __init__(
        self,
        num_ids: int,
        *,
        max_tokens: int,
        dim: int = 128,
        num_heads: int = 4,
        num_layers: int = 2,
        dropout: float = 0.0,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        sizes = {"num_ids": num_ids, "max_tokens": max_tokens, "num_layers": num_layers}
        check_heads(f"TokenDecoder '{self.name}'", dim, num_heads, **sizes)
        self.num_ids = num_ids
        self.max_tokens = max_tokens
        self.dim = dim
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.dropout = dropout
        policy = self.dtype_policy
        self.embed = keras.layers.Embedding(num_ids, dim, dtype=policy, name="embed")
        self.place = keras.layers.Embedding(max_tokens, dim, dtype=policy, name="place")
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.blocks = [
            DecoderBlock(dim, num_heads=num_heads, dropout=dropout, dtype=policy, name=f"block_{i}")
            for i in range(num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(dtype=policy, name="norm")
        self.logits = keras.layers.Dense(num_ids, dtype="float32", name="logits")

    def build(self, memory_shape, *_, **__):
        own = (None, None, self.dim)
        self.embed.build(None)
        self.place.build(None)
        for block in self.blocks:
            block.build(own, memory_shape)
        self.norm.build(own)
        self.logits.build(own)

    @property
    def end(self) -> int:
        """The id that ends a sequence."""
        return self.num_ids - 1

    def call(self, memory, mask, labels, training=None):
        before = ops.concatenate([ops.full_like(labels[:, :1], PAD), ops.maximum(labels, PAD)[:, :-1]], axis=1)
        x = self.drop(self.embed(before) + self.place(ops.arange(self.max_tokens)), training=training)
        for block in self.blocks:
            x = block(x, memory, mask, training=training)
        return self.logits(self.norm(x))

    def start(self, memory: Any) -> tuple[Any, list[Any], list[Any]]:
        """State before the first step: (first ids (B,) int32, readable memory of each block, list of empty caches)."""
        batch_size = ops.shape(memory)[0]
        caches = [part for block in self.blocks for part in block.empty_cache(batch_size, self.max_tokens)]
        return ops.full((batch_size,), PAD, "int32"), [block.readable(memory) for block in self.blocks], caches

    def step(self, ids: Any, i: Any, caches: Any, readable: Any, mask: Any) -> tuple[Any, list[Any]]:
        """Logits of the next token.

        Args:
            ids: (B,) int32, the last tokens, at place `i`.
            i: () int32.
            caches, readable: of `start`; the caches of the last step.
            mask: of the memory (B, M), bool.

        Returns:
            ((B, V) float32, caches).
        """
        x = self.embed(ops.expand_dims(ids, 1)) + self.place(ops.reshape(i, (1, 1)))
        new = []
        for n, block in enumerate(self.blocks):
            x, cache = block.step(x, i, caches[2 * n : 2 * n + 2], readable[n], mask)
            new += cache
        return ops.squeeze(self.logits(self.norm(x)), axis=1), new

    def compute_mask(self, memory, previous_mask=None):
        return None

    def compute_output_spec(self, memory, mask, labels, training=None):
        return keras.KerasTensor((memory.shape[0], self.max_tokens, self.num_ids), "float32")

    def get_config(self):
        names = ("num_ids", "max_tokens", "dim", "num_heads", "num_layers", "dropout")
        return super().get_config() | {name: getattr(self, name) for name in names}
