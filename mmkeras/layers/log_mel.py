from typing import Unpack

import keras
import numpy as np
from keras import ops

from mmkeras.layers.options import LayerOptions


@keras.saving.register_keras_serializable("mmkeras")
class LogMel(keras.layers.Layer):
    """Waveform -> log-mel spectrogram, as part of the model.

    Training, serving and devices share this front end. Prefer it to `keras.layers.MelSpectrogram`, whose decibel scale
    is relative to the maximum of the whole batch, so that the result for one clip depends on the others. Always
    computed in float32.

    Masking: samples under False count as silence; a frame is real where its first sample is.

    Args:
        sample_rate: of the waveform, in Hz.
        mel_bands: M, number of mel bands from 20 Hz to half the sample rate.
        frame_seconds: length of one Hann-windowed frame.
        hop_seconds: step from frame to frame.

    Call arguments:
        waveform: (B, S) float32 in [-1, 1].
        mask: (B, S) bool.

    Returns:
        (B, F, M) float32, log(mel power + 1e-6), and the frames' mask (B, F) bool, F = 1 + (S - frame) // hop.

    Raises:
        ValueError: the clip is shorter than one frame.

    Example:

    >>> spectrum, mask = LogMel(8000, mel_bands=32)(np.zeros((2, 4000), "float32"), np.ones((2, 4000), bool))
    >>> spectrum.shape, mask.shape
    (TensorShape([2, 48, 32]), TensorShape([2, 48]))

    Source: HTK's mel scale, mel = 2595 log10(1 + f / 700), as in Keras' `MelSpectrogram.linear_to_mel_weight_matrix`.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        mel_bands: int = 64,
        frame_seconds: float = 0.025,
        hop_seconds: float = 0.01,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.sample_rate = sample_rate
        self.mel_bands = mel_bands
        self.frame_seconds = frame_seconds
        self.hop_seconds = hop_seconds
        self.frame = round(frame_seconds * sample_rate)
        self.hop = round(hop_seconds * sample_rate)
        self.fft_length = 1 << (self.frame - 1).bit_length()

    def frames(self, samples: int) -> int:
        """F, the number of frames of a clip of `samples` samples."""
        if samples < self.frame:
            raise ValueError(
                f"LogMel needs clips of at least one frame, {self.frame} samples. Received: {samples} samples. "
                "Give the Audio spec more seconds, or LogMel a smaller frame_seconds."
            )
        return 1 + (samples - self.frame) // self.hop

    def build(self, waveform_shape, mask_shape=None):
        mel = keras.layers.MelSpectrogram(sampling_rate=self.sample_rate)
        matrix = mel.linear_to_mel_weight_matrix(
            self.mel_bands, self.fft_length // 2 + 1, self.sample_rate, 20.0, self.sample_rate / 2
        )
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.frame) / self.frame)
        self.window, self.matrix = (
            np.round(part * 2.0**24).astype("int32") for part in (window, ops.convert_to_numpy(matrix))
        )

    def call(self, waveform, mask):
        window, matrix, floor = self._constants(mask)
        heard = ops.where(mask, ops.cast(waveform, "float32"), 0.0)
        # `stft` steps from frame to frame but reads `fft_length` samples each time, so pad the end of the last frame.
        heard = ops.pad(heard, ((0, 0), (0, self.fft_length - self.frame)))
        real, imaginary = ops.stft(heard, self.frame, self.hop, self.fft_length, window, center=False)
        power = ops.square(real) + ops.square(imaginary)
        frames = self.frames(waveform.shape[1])
        spectrum = ops.log(ops.matmul(power, matrix) + floor)[:, :frames]
        return spectrum, mask[:, : (frames - 1) * self.hop + 1 : self.hop]

    def _constants(self, mask):
        # LiteRT's quantiser rounds float constants to 8 or 16 bits. Power spans decades, so rounded mel bands would
        # lose weak signals and a rounded window would leak into quiet bands. Integer constants are not quantised;
        # adding a zero that is only known at run time prevents the converter from folding them into float constants.
        zero = ops.minimum(ops.cast(ops.any(mask[:, :1]), "int32"), 0)
        window, matrix = (ops.cast(whole + zero, "float32") * 2.0**-24 for whole in (self.window, self.matrix))
        return window, matrix, 1.0 / ops.cast(1_000_000 + zero, "float32")

    def compute_output_spec(self, waveform, mask):
        batch, frames = waveform.shape[0], self.frames(waveform.shape[1])
        spectrum = keras.KerasTensor((batch, frames, self.mel_bands), "float32")
        return spectrum, keras.KerasTensor((batch, frames), "bool")

    def get_config(self):
        config = {"sample_rate": self.sample_rate, "mel_bands": self.mel_bands}
        config |= {"frame_seconds": self.frame_seconds, "hop_seconds": self.hop_seconds}
        return super().get_config() | config
