from typing import Any, Unpack

import keras
from keras import ops

from mmkeras.layers.attention_block import check_heads
from mmkeras.layers.options import LayerOptions

_HIDDEN = -1e4  # score of masked positions: 0 after softmax, yet moderate enough for 8-bit scales


@keras.saving.register_keras_serializable("mmkeras")
class DecoderBlock(keras.layers.Layer):
    """A pre-norm Transformer decoder block: tokens read those before them, then a memory.

    x <- x + Self(norm(x)), x <- x + Cross(norm(x), memory), x <- x + MLP(norm(x)), where Self is causal. `call` does
    so for a whole sequence; `step` for its next token alone, whose keys and values join a cache, with equal results.

    Masking: masked tokens of the memory are not read; where a row has nothing to read, Cross is zero.

    Args:
        dim: D, width of the tokens.
        num_heads: attention heads; they divide `dim`.
        dropout: of what each part adds, while training.

    Call arguments:
        x: (B, L, D) float.
        memory: (B, M, any width) float.
        mask: of the memory (B, M), bool.

    Returns:
        (B, L, D) float.

    Raises:
        ValueError: `num_heads` do not divide `dim`.

    Example:

    >>> tokens, memory = np.zeros((2, 4, 8), "float32"), np.zeros((2, 5, 3), "float32")
    >>> DecoderBlock(8, num_heads=2)(tokens, memory, np.ones((2, 5), bool)).shape
    TensorShape([2, 4, 8])

    Source: Vaswani et al., arXiv 1706.03762, with the normalisation before each part, as of arXiv 2002.04745.
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones

    def __init__(
        self, dim: int = 128, *, num_heads: int = 4, dropout: float = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        check_heads(f"DecoderBlock '{self.name}'", dim, num_heads)
        self.dim = dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.norm_self, self.norm_cross, self.norm_think = (self._norm(part) for part in ("self", "cross", "think"))
        self.query, self.key, self.value, self.merge = (self._dense(f"self_{part}") for part in _PARTS)
        self.ask, self.read_key, self.read_value, self.told = (self._dense(f"cross_{part}") for part in _PARTS)
        self.widen = keras.layers.Dense(4 * dim, "gelu", dtype=self.dtype_policy, name="widen")
        self.narrow = self._dense("narrow")
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def _norm(self, part):
        return keras.layers.LayerNormalization(dtype=self.dtype_policy, name=f"norm_{part}")

    def _dense(self, name):
        return keras.layers.Dense(self.dim, dtype=self.dtype_policy, name=name)

    def build(self, x_shape, memory_shape, mask_shape=None):
        own = (None, None, self.dim)
        for layer in (self.norm_self, self.norm_cross, self.norm_think, self.query, self.key, self.value, self.merge,
                      self.ask, self.told, self.widen):  # fmt: skip
            layer.build(own)
        for layer in (self.read_key, self.read_value):
            layer.build((None, None, memory_shape[-1]))
        self.narrow.build((None, None, self.widen.units))

    def call(self, x, memory, mask, training=None):
        y, places = self.norm_self(x), ops.arange(x.shape[1])
        before = ops.expand_dims(places, 1) >= ops.expand_dims(places, 0)
        x = x + self._drop(self._attend(self.query(y), *self._keys_values(y), before, self.merge), training)
        return self._rest(x, self.readable(memory), mask, training)

    def readable(self, memory: Any) -> tuple[Any, Any]:
        """Memory (B, M, any width) -> its keys and values (B, num_heads, M, D / num_heads), the same for all steps."""
        return self._split(self.read_key(memory)), self._split(self.read_value(memory))

    def empty_cache(self, batch_size: Any, length: int) -> list[Any]:
        """Keys and values (B, num_heads, L, D / num_heads) of `length` tokens to come."""
        shape = (batch_size, self.num_heads, length, self.dim // self.num_heads)
        return [ops.zeros(shape, self.compute_dtype) for _ in range(2)]

    def step(self, x: Any, i: Any, cache: Any, readable: Any, mask: Any) -> tuple[Any, list[Any]]:
        """One token.

        Args:
            x: (B, 1, D) float, the token at place `i`.
            i: () int32.
            cache: of `empty_cache`, or of the last step.
            readable: of the method.
            mask: of the memory (B, M), bool.

        Returns:
            ((B, 1, D), the cache with its keys and values).
        """
        y, places = self.norm_self(x), ops.reshape(ops.arange(cache[0].shape[2]), (1, 1, -1, 1))
        # `ops.slice_update` exports as XlaDynamicUpdateSlice, which TF Serving would have to compile with XLA.
        here = ops.equal(places, i)
        cache = [ops.where(here, new, old) for new, old in zip(self._keys_values(y), cache, strict=True)]
        before = ops.reshape(places <= i, (1, 1, 1, -1))
        x = x + self._attend(self.query(y), *cache, before, self.merge)
        return self._rest(x, readable, mask), cache

    def _rest(self, x, readable, mask, training=None):
        there = ops.expand_dims(ops.expand_dims(mask, 1), 1)
        seen = self._attend(self.ask(self.norm_cross(x)), *readable, there, self.told)
        x = x + self._drop(ops.where(ops.any(there, axis=-1), seen, ops.zeros_like(seen)), training)
        return x + self._drop(self.narrow(self.widen(self.norm_think(x))), training)

    def _keys_values(self, y):
        return self._split(self.key(y)), self._split(self.value(y))

    def _split(self, x):
        """(B, T, D) -> (B, num_heads, T, D / num_heads)."""
        shape = (*ops.shape(x)[:2], self.num_heads, self.dim // self.num_heads)
        return ops.transpose(ops.reshape(x, shape), (0, 2, 1, 3))

    def _attend(self, queries, keys, values, mask, merge):
        shape = (*ops.shape(queries)[:2], self.dim)
        scores = ops.matmul(self._split(queries), ops.transpose(keys, (0, 1, 3, 2)))
        scores = scores * (self.dim // self.num_heads) ** -0.5
        scores = ops.where(mask, scores, ops.cast(_HIDDEN, scores.dtype))
        shares = ops.softmax(scores, axis=-1) if keys.shape[2] != 1 else _single(scores)
        return merge(ops.reshape(ops.transpose(ops.matmul(shares, values), (0, 2, 1, 3)), shape))

    def _drop(self, x, training):
        return self.drop(x, training=training)

    def compute_mask(self, x, previous_mask=None):
        return None

    def compute_output_spec(self, x, memory, mask, training=None):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        config = {"dim": self.dim, "num_heads": self.num_heads, "dropout": self.dropout}
        return super().get_config() | config


def _single(scores):
    """Softmax over a single score, computed without Keras' warning; its gradient is zero but defined."""
    powers = ops.exp(scores - ops.stop_gradient(scores))
    return powers / powers


_PARTS = ("query", "key", "value", "out")
