from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from mmkeras.checks import check_whole
from mmkeras.decoding._base import Decoding, best, placed, sayable
from mmkeras.layers import TokenDecoder
from mmkeras.layers.options import LayerOptions
from mmkeras.layers.token_decoder import PAD

_NEVER = -1e9


@keras.saving.register_keras_serializable("mmkeras")
class Beam(Decoding):
    """Keeps the W most probable beginnings, and answers with the best of what they became.

    The score of an answer of n tokens, its end included, is log p / n ** length_penalty; while they grow, beginnings
    are compared by log p alone. One that has ended keeps its place. Costs W times the steps of `Greedy`.

    Args:
        decoder: `layers.TokenDecoder`.
        beams: W.
        length_penalty: 0 for the most probable answer; larger ones prefer longer answers, 1 the mean over the tokens.

    Call arguments and result: as every layer of `mmkeras.decoding`.

    Source: Wu et al., arXiv 1609.08144, section 7, with a plain power of the length.
    """

    def __init__(
        self, decoder: TokenDecoder, *, beams: int = 4, length_penalty: float = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(decoder, **kwargs)
        check_whole(self.name, beams=beams)
        self.beams = beams
        self.length_penalty = length_penalty

    def answer(self, memory: Any, mask: Any) -> Any:
        decoder, width = self.decoder, self.beams
        ids, readable, caches = keras.tree.map_structure(self._repeated, decoder.start(memory))
        mask, batch_size = self._repeated(mask), ops.shape(memory)[0]
        rows = ops.zeros((batch_size * width, decoder.max_tokens), "int32")
        # All beams start out equal, so only the first one may be extended in the first step.
        first = np.where(np.arange(width) == 0, 0.0, _NEVER).astype("float32")
        totals = ops.broadcast_to(ops.convert_to_tensor(first), (batch_size, width))
        offsets = ops.expand_dims(ops.arange(batch_size, dtype="int32") * width, 1)

        def go_on(i, ids, done, totals, rows, *caches):
            return ops.logical_and(i < decoder.max_tokens, ops.logical_not(ops.all(done)))

        def step(i, ids, done, totals, rows, *caches):
            logits, caches = decoder.step(ids, i, caches, readable, mask)
            totals, source, ids = self._grown(totals, logits, done, offsets)
            done, rows, *caches = (ops.take(each, source, axis=0) for each in (done, rows, *caches))
            return i + 1, ids, ops.logical_or(done, ops.equal(ids, decoder.end)), totals, placed(rows, i, ids), *caches

        start = ops.convert_to_tensor(0, "int32"), ids, ops.zeros_like(ids, "bool"), totals, rows, *caches
        *_, totals, rows = ops.while_loop(go_on, step, start)[:5]
        lengths = ops.sum(ops.cast(ops.not_equal(rows, PAD), "float32"), axis=1)
        lengths = ops.reshape(lengths, ops.shape(totals))
        chosen = best(totals / ops.maximum(lengths, 1.0) ** self.length_penalty)
        return ops.take(rows, chosen + offsets[:, 0], axis=0)

    def _repeated(self, tensor):
        return ops.repeat(tensor, self.beams, axis=0)

    def _grown(self, totals, logits, done, offsets):
        """The best continuations: their log p (B, W), the rows they continue (B * W,), and their tokens (B * W,)."""
        size = self.decoder.num_ids
        # A finished beam continues with padding at no cost.
        ended = np.where(np.arange(size) == PAD, 0.0, _NEVER).astype("float32")
        gains = ops.where(ops.expand_dims(done, 1), ended, ops.log_softmax(sayable(logits), axis=-1))
        rows = ops.shape(totals)[0]
        every = ops.expand_dims(totals, 2) + ops.reshape(gains, (rows, self.beams, size))
        totals, found = ops.top_k(ops.reshape(every, (rows, self.beams * size)), self.beams)
        found = ops.cast(found, "int32")
        beam = found // size
        flat = (rows * self.beams,)
        return totals, ops.reshape(beam + offsets, flat), ops.reshape(found - beam * size, flat)

    def get_config(self):
        return super().get_config() | {"beams": self.beams, "length_penalty": self.length_penalty}
