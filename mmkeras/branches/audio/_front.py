"""Front end shared by the audio branches: spectrograms, and masks of strided windows."""

from keras import ops

from mmkeras.layers import MFCC, BatchNorm, LogMel


def spectrogram(spec, ready, mel_bands, frame_seconds, hop_seconds, mfcc, spec_augment):
    """Ready tensors -> normalised log-mel spectrogram or MFCC as an image (B, F, M, 1), and the frames' mask (B, F)."""
    spectrum, mask = LogMel(
        spec.sample_rate, mel_bands=mel_bands, frame_seconds=frame_seconds, hop_seconds=hop_seconds, name="log_mel"
    )(*ready.values())
    norm = BatchNorm(name="norm")
    if mfcc is None:  # normalise before SpecAugment, so that the moving statistics match unmasked inference
        spectrum = ops.squeeze(norm(ops.expand_dims(spectrum, -1), mask=mask), -1)
    if spec_augment is not None:
        spectrum, mask = spec_augment(spectrum, mask)
    if mfcc is not None:
        # Normalise each coefficient separately: the first one (the level) is about a hundred times the others.
        spectrum = norm(MFCC(mfcc, name="mfcc")(spectrum), mask=mask)
    return ops.expand_dims(spectrum, -1), mask


def first_of_each(mask, count, step):
    """Mask of `count` windows starting every `step` tokens: real if the first token is real, as in `LogMel`."""
    return mask[:, : (count - 1) * step + 1 : step]
