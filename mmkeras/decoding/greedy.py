from typing import Any

import keras

from mmkeras.decoding._base import Decoding, best
from mmkeras.decoding._loop import token_by_token


@keras.saving.register_keras_serializable("mmkeras")
class Greedy(Decoding):
    """Answers with the most probable token, again and again.

    Prefer `Beam` where the first word that seems best may lead astray, and `Sampling` for various answers.

    Args, call arguments and result: as every layer of `mmkeras.decoding`.

    Example:

    >>> from mmkeras.layers import TokenDecoder
    >>> greedy = Greedy(TokenDecoder(10, max_tokens=4, dim=8, num_heads=2))
    >>> greedy(np.zeros((1, 5, 3), "float32"), np.ones((1, 5), bool)).shape
    TensorShape([1, 4])
    """

    def answer(self, memory: Any, mask: Any) -> Any:
        return token_by_token(self.decoder, memory, mask, lambda logits, i: best(logits))
