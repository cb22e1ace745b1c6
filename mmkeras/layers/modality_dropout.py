from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class ModalityDropout(keras.layers.Layer):
    """Masks whole modalities of single examples while training, so that the model learns to work without them.

    Use it wherever a modality may be missing in production, and where one that is easy to learn dominates the others.
    It changes the masks only, so for every fusion a dropped modality is the same as an absent one.

    Masking: absent modalities stay absent. At least one of the present modalities of an example is always kept.

    Args:
        rate: probability of dropping each modality of each example: one number, or one per modality.
        seed: int, for reproducible results; None draws one.

    Call arguments:
        masks: list of (B, T_i) bool.
        training: whether modalities are dropped.

    Returns:
        The list of masks, with some rows all False.

    Raises:
        ValueError: a rate outside [0, 1), or not as many rates as modalities.

    Example:

    >>> masks = [np.ones((1, 3), bool), np.ones((1, 1), bool)]
    >>> [bool(mask.numpy().all()) for mask in ModalityDropout(0.5)(masks, training=False)]
    [True, True]

    Source: Neverova et al., ModDrop, arXiv 1501.00102, section 4.2; there all of them may be dropped.
    """

    def __init__(
        self, rate: float | Sequence[float] = 0.3, *, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.rate = tuple(rate) if isinstance(rate, list | tuple) else rate
        self.seed = seed
        rates = self.rate if isinstance(self.rate, tuple) else (self.rate,)
        if not all(isinstance(each, int | float) and 0 <= each < 1 for each in rates):
            raise ValueError(
                f"The rate of ModalityDropout must be at least 0 and below 1, one number or a list. Received: {rate!r}."
            )
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, masks_shape):
        if isinstance(self.rate, tuple) and len(self.rate) != len(masks_shape):
            raise ValueError(
                f"ModalityDropout needs one rate, or one per modality. Received: {self.rate} for {len(masks_shape)} "
                "modalities. Give them in the order of the specs."
            )

    def call(self, masks, training=False):
        if not training:
            return list(masks)
        present = ops.stack([ops.any(mask, axis=1) for mask in masks], axis=-1)
        drawn = keras.random.uniform((2, ops.shape(present)[0], len(masks)), seed=self.seed_generator)
        stays = ops.logical_and(present, drawn[0] >= ops.convert_to_tensor(self.rate, "float32"))
        # Keep one modality if all would be dropped: the present one with the largest second random number.
        lot = ops.where(present, drawn[1], -1.0)
        chosen = lot >= ops.max(lot, axis=-1, keepdims=True)
        none = ops.logical_not(ops.any(stays, axis=-1, keepdims=True))
        stays = ops.logical_or(stays, ops.logical_and(none, ops.logical_and(present, chosen)))
        return [ops.logical_and(mask, stays[:, i : i + 1]) for i, mask in enumerate(masks)]

    def compute_output_spec(self, masks, training=False):
        return [keras.KerasTensor(mask.shape, "bool") for mask in masks]

    def get_config(self):
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
