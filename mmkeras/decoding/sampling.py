from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from mmkeras.checks import check, check_positive
from mmkeras.decoding._base import Decoding
from mmkeras.decoding._loop import token_by_token
from mmkeras.layers import TokenDecoder
from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class Sampling(Decoding):
    """Draws every token from the decoder's distribution, or from its more probable part.

    Randomness is handed in: a number in [0, 1) for every token, from which the token follows by the inverse of the
    distribution function. So the answers can be repeated, and a file for a device needs no generator and no state.

    Args:
        decoder: `layers.TokenDecoder`.
        temperature: logits are divided by it: below 1 the probable becomes more probable.
        top_k: only the k most probable tokens are drawn; None for all.
        top_p: only the fewest most probable tokens that together have this probability; 1 for all.
        seed: None where `uniform` is an input; or a whole number of 0 or more, from which the numbers are made: the
            same in every call and for every row, so that an answer does not depend on the batch it is in, and servers
            and devices give it, too. For several answers to one input, hand in `uniform`.

    Call arguments:
        memory, mask, labels: as every layer of `mmkeras.decoding`.
        uniform: (B, L) or (1, L) float32 in [0, 1), of `decoding.uniform`; None where there is a seed.

    Returns:
        As every layer of `mmkeras.decoding`.

    Source: Holtzman et al., arXiv 1904.09751, for top-p; Fan et al., arXiv 1805.04833, for top-k.
    """

    def __init__(
        self,
        decoder: TokenDecoder,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(decoder, **kwargs)
        check_positive(self.name, temperature=temperature, top_p=top_p, **({} if top_k is None else {"top_k": top_k}))
        right = seed is None or (isinstance(seed, int) and seed >= 0)
        check(right, f"seed of '{self.name}' must be None or a whole number of 0 or more.", f"{seed!r}", "Give seed=0.")
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.seed = seed

    @property
    def takes_uniform(self) -> bool:
        return self.seed is None

    def call(self, memory, mask, labels=None, uniform=None, training=None):
        if labels is not None:
            return super().call(memory, mask, labels, training=training)
        if uniform is None:
            uniform = self._numbers()
        return self._without_end(self.answer(memory, mask, uniform))

    def answer(self, memory: Any, mask: Any, uniform: Any) -> Any:
        return token_by_token(
            self.decoder, memory, mask, lambda logits, i: self._drawn(logits, ops.take(uniform, i, axis=1))
        )

    def _numbers(self):
        """Those of the seed, (1, L)."""
        if self.seed is None:
            raise ValueError(
                f"Sampling '{self.name}' needs a seed, or uniform random numbers as an input. Received: neither. Give "
                "seed=, or feed mmkeras.decoding.uniform(seed, n=n, max_tokens=L)."
            )
        return ops.convert_to_tensor(uniform(self.seed, n=1, max_tokens=self.decoder.max_tokens))

    def _drawn(self, logits, uniform):
        """Logits (B, V) and (B,) in [0, 1) -> ids (B,)."""
        size = min(self.top_k or self.decoder.num_ids, self.decoder.num_ids)
        shares, order = ops.top_k(ops.softmax(logits / self.temperature, axis=-1), size)
        before = ops.cumsum(shares, axis=-1) - shares
        ends = ops.cumsum(ops.where(before < self.top_p, shares, 0.0), axis=-1)
        passed = ops.cast(ends <= ops.expand_dims(uniform, 1) * ends[:, -1:], "int32")
        place = ops.minimum(ops.sum(passed, axis=-1, keepdims=True), size - 1)
        return ops.take_along_axis(ops.cast(order, "int32"), place, axis=-1)[:, 0]

    def get_config(self):
        names = ("temperature", "top_k", "top_p", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}


def uniform(seed: int, *, n: int, max_tokens: int) -> np.ndarray:
    """The randomness of n answers: (n, max_tokens) float32 in [0, 1), the same for the same seed.

    Args:
        seed: any whole number of 0 or more.
        n: how many answers.
        max_tokens: L of the decoder, `model.output[head].shape[1]`.

    Example:

    >>> uniform(1, n=2, max_tokens=3).shape
    (2, 3)
    """
    return np.random.default_rng(seed).random((n, max_tokens), "float32")
