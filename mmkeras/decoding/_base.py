"""What all decoding layers share: the decoder, teacher forcing, and the tokens that may be generated."""

from typing import Any, Self, Unpack

import keras
import numpy as np
from keras import ops

from mmkeras.layers import TokenDecoder
from mmkeras.layers.options import LayerOptions
from mmkeras.layers.token_decoder import PAD, UNKNOWN

_NEVER = -1e9


class Decoding(keras.layers.Layer):
    """A layer that holds a decoder, and answers with it: `answer` is what derived classes write.

    With labels it is the decoder itself under teacher forcing, for training: a model holds this layer once, with one
    set of weights, and answers or learns by what it is given.

    Args:
        decoder: `layers.TokenDecoder`.

    Call arguments:
        memory: (B, M, any width) float.
        mask: of the memory (B, M), bool.
        labels: None; or (B, L) int32, sequences to learn.

    Returns:
        ids (B, L) int32, 0 from the end on; with labels, logits (B, L, V) float32.
    """

    supports_masking = True  # explicit masks are used instead of Keras' implicit ones
    takes_uniform = False  # whether `call` needs uniform random numbers

    def __init__(self, decoder: TokenDecoder, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.decoder = decoder

    def build(self, memory_shape, *_, **__):
        if not self.decoder.built:
            self.decoder.build(memory_shape)

    def call(self, memory, mask, labels=None, training=None):
        if labels is not None:
            return self.decoder(memory, mask, labels, training=training)
        return self._without_end(self.answer(memory, mask))

    def _without_end(self, ids):
        return ops.where(ops.equal(ids, self.decoder.end), PAD, ids)

    def answer(self, memory: Any, mask: Any) -> Any:
        """Ids (B, L) int32, 0 after the end."""
        raise NotImplementedError(f"{type(self).__name__} needs answer(memory, mask).")

    def compute_mask(self, memory, previous_mask=None):
        return None

    def compute_output_spec(self, memory, mask, labels=None, **_):
        if labels is not None:
            return self.decoder.compute_output_spec(memory, mask, labels)
        return keras.KerasTensor((memory.shape[0], self.decoder.max_tokens), "int32")

    def get_config(self):
        return super().get_config() | {"decoder": keras.saving.serialize_keras_object(self.decoder)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config | {"decoder": keras.saving.deserialize_keras_object(config["decoder"])})


def sayable(logits):
    """Logits (B, V) in which padding and the unknown token cannot be chosen."""
    never = np.where(np.isin(np.arange(logits.shape[-1]), [PAD, UNKNOWN]), _NEVER, 0.0)
    return logits + ops.convert_to_tensor(never, logits.dtype)


def best(scores):
    """Scores (B, N) -> index of the largest (B,) int32; LiteRT has no builtin op for `ops.argmax`."""
    return ops.cast(ops.top_k(scores, 1)[1], "int32")[:, 0]


def placed(rows, i, ids):
    """Returns (B, L) with ids (B,) written to column `i`."""
    here = ops.equal(ops.arange(rows.shape[1]), i)
    return ops.where(ops.expand_dims(here, 0), ops.expand_dims(ids, 1), rows)
