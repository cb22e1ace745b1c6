from typing import Unpack

import keras
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class SpecAugment(keras.layers.Layer):
    """Masks bands and stretches of frames of a spectrogram while training.

    Active with `training=True` only: in `evaluate`, `predict` and exports it is the identity. Prefer it to
    `augment.audio` for classifying sounds, and use both where recordings differ in level and noise.

    Masking: only real frames are masked, in stretches of at most `most` of them; frames under False and the mask itself
    do not change.

    Args:
        bands: number of groups of neighbouring bands that are masked in each clip.
        band_width: F, largest number of bands in a group, which is drawn uniformly from 0 to F.
        time_masks: number of stretches of neighbouring frames that are masked in each clip.
        time_mask_width: T, largest number of frames in a stretch, which is drawn uniformly from 0 to T.
        most: p, largest share of a clip's real frames that one stretch may mask.
        seed: int, for reproducible results; None draws one.

    Call arguments:
        spectrum: (B, F, M) float, as from `layers.LogMel`.
        mask: (B, F) bool.
        training: whether anything is masked.

    Returns:
        Spectrum and mask of the same shapes; masked values are the mean of the clip's real frames.

    Example:

    >>> spectrum, mask = np.ones((1, 50, 16), "float32"), np.ones((1, 50), bool)
    >>> same, _ = SpecAugment()(spectrum, mask)
    >>> np.array_equal(same, spectrum)
    True

    Source: Park et al., SpecAugment, arXiv 1904.08779, section 2: frequency and time masking (their policy LD has
    F = 27, T = 100, p = 1 for 80 bands). Time warping, which they found to matter least, is left out. Their
    spectrograms have mean zero and are masked with zero.
    """

    def __init__(
        self,
        *,
        bands: int = 2,
        band_width: int = 8,
        time_masks: int = 2,
        time_mask_width: int = 20,
        most: float = 0.2,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.bands = bands
        self.band_width = band_width
        self.time_masks = time_masks
        self.time_mask_width = time_mask_width
        self.most = most
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, spectrum, mask, training=False):
        if not training:
            return spectrum, mask
        real = ops.cast(mask, "float32")
        frames = ops.sum(real, axis=1, keepdims=True)
        every = ops.full_like(frames, spectrum.shape[2])
        # Index of each real frame; the mask need not start with real frames.
        frame = ops.cumsum(real, axis=1) - 1.0
        band = ops.expand_dims(ops.arange(spectrum.shape[2], dtype="float32"), 0)
        widest = ops.minimum(float(self.time_mask_width), ops.floor(self.most * frames))
        hidden_frames = ops.logical_and(mask, self._stripes(frame, frames, widest, self.time_masks))
        hidden_bands = self._stripes(band, every, ops.minimum(float(self.band_width), every), self.bands)
        hidden_bands = ops.logical_and(ops.expand_dims(mask, -1), ops.expand_dims(hidden_bands, 1))
        hidden = ops.logical_or(hidden_bands, ops.expand_dims(hidden_frames, -1))
        return ops.where(hidden, ops.cast(self._mean(spectrum, real), spectrum.dtype), spectrum), mask

    def _stripes(self, place, length, widest, count):
        """(B, L) bool: `count` stripes up to `widest` (B, 1) wide at random positions within `length` (B, 1)."""
        if not count:
            return ops.zeros_like(place, dtype="bool")
        drawn = keras.random.uniform((2, ops.shape(length)[0], 1, count), seed=self.seed_generator)
        width = ops.floor(drawn[0] * (ops.expand_dims(widest, -1) + 1.0))
        start = ops.floor(drawn[1] * (ops.expand_dims(length, -1) - width + 1.0))
        place = ops.expand_dims(place, -1)
        return ops.any(ops.logical_and(place >= start, place < start + width), axis=-1)

    def _mean(self, spectrum, real):
        """Mean over the real frames in float32, (B, 1, 1)."""
        heard = ops.where(ops.expand_dims(real, -1) > 0, ops.cast(spectrum, "float32"), 0.0)
        count = ops.maximum(ops.sum(real, axis=1), 1.0) * spectrum.shape[2]
        return ops.reshape(ops.sum(heard, axis=(1, 2)) / count, (-1, 1, 1))

    def compute_output_spec(self, spectrum, mask, training=False):
        return keras.KerasTensor(spectrum.shape, self.compute_dtype), keras.KerasTensor(mask.shape, "bool")

    def get_config(self):
        config = {"bands": self.bands, "band_width": self.band_width, "time_masks": self.time_masks}
        config |= {"time_mask_width": self.time_mask_width, "most": self.most, "seed": self.seed}
        return super().get_config() | config
