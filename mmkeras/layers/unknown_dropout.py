from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class UnknownDropout(keras.layers.Layer):
    """Replaces ids by the unknown id while training, so that its embedding is trained.

    If the training data have no unknown words or categories, the embedding of the unknown id keeps its random initial
    value, and the answer to the first unknown one in production depends on the seed.

    Args:
        rate: probability of replacing each id.
        seed: int, for reproducible results; None draws one.

    Call arguments:
        ids: (B, T) int: 0 padding or missing, 1 unknown, from 2 on words or categories.
        training: whether ids are replaced.

    Returns:
        (B, T) int, some of the ids from 2 on replaced by 1.

    Raises:
        ValueError: a rate outside [0, 1).

    Example:

    >>> UnknownDropout(0.5)(np.array([[2, 3, 0]]), training=False).numpy().tolist()
    [[2, 3, 0]]

    Source: Kiperwasser and Goldberg, arXiv 1603.04351, "word dropout"; there, rare words are replaced more often.
    """

    def __init__(self, rate: float = 0.02, *, seed: int | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise ValueError(f"The rate of UnknownDropout must be at least 0 and below 1. Received: {rate!r}.")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, ids, training=False):
        if not training or not self.rate:
            return ids
        hidden = keras.random.uniform(ops.shape(ids), seed=self.seed_generator) < self.rate
        return ops.where(ops.logical_and(hidden, ids > 1), ops.ones_like(ids), ids)

    def compute_output_spec(self, ids, training=False):
        return keras.KerasTensor(ids.shape, ids.dtype)

    def get_config(self):
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
