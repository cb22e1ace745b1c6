from typing import Unpack

import keras
import numpy as np
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class MFCC(keras.layers.Layer):
    """Log-mel spectrogram -> mel-frequency cepstral coefficients, the broad shape of the spectrum in a few numbers.

    Prefer the spectrogram itself where there are thousands of clips: it holds more information for convolutions. The
    first coefficients are more compact and depend less on the pitch of a voice. Always computed in float32.

    y_k = s_k sum_m x_m cos(pi k (2m + 1) / (2M)) with s_0 = sqrt(1 / M), otherwise s_k = sqrt(2 / M): the orthonormal
    DCT-II over the bands. y_0 is the level. They are neither liftered nor normalised.

    Args:
        coefficients: K, number of coefficients, at most M.

    Call arguments:
        spectrum: (B, F, M) float, as from `layers.LogMel`.

    Returns:
        (B, F, K) float32.

    Raises:
        ValueError: there are more coefficients than bands.

    Example:

    >>> MFCC(2)(np.ones((1, 1, 4), "float32")).numpy().round(4).tolist()
    [[[2.0, 0.0]]]

    Source: Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition, 1980;
    the scale is that of `scipy.fft.dct(x, norm="ortho")`.
    """

    supports_masking = True  # each frame is transformed separately

    def __init__(self, coefficients: int = 13, **kwargs: Unpack[LayerOptions]) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.coefficients = coefficients

    def build(self, spectrum_shape):
        bands = spectrum_shape[-1]
        if not 1 <= self.coefficients <= bands:
            raise ValueError(
                f"MFCC '{self.name}' can keep from 1 coefficient to one per band, {bands}. Received: "
                f"{self.coefficients}. Use fewer coefficients, or more mel_bands."
            )
        k, m = np.arange(self.coefficients), np.arange(bands)[:, None]
        matrix = np.cos(np.pi * k * (2 * m + 1) / (2 * bands)) * np.sqrt(np.where(k, 2, 1) / bands)
        self.matrix = np.round(matrix * 2.0**24).astype("int32")

    def call(self, spectrum):
        # Integer constants and a run-time zero protect the matrix from LiteRT's quantisation, as in `LogMel`.
        zero = ops.minimum(ops.cast(ops.any(spectrum[:, :1] > 0), "int32"), 0)
        return ops.matmul(spectrum, ops.cast(self.matrix + zero, "float32") * 2.0**-24)

    def compute_mask(self, spectrum, previous_mask=None):
        return None

    def compute_output_spec(self, spectrum):
        return keras.KerasTensor((*spectrum.shape[:-1], self.coefficients), "float32")

    def get_config(self):
        return super().get_config() | {"coefficients": self.coefficients}
