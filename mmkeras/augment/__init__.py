"""Augmentation of ready batches, in training only.

image   flips, crops, zoom, shifts, rotation, brightness, contrast, RandAugment, cutout, by keras-cv
audio   speed, shift, rooms, gain, noise, on the waveform (`layers.SpecAugment` masks the spectrogram, in the model)
video   flips, crops, brightness, contrast, colour, direction: the same for all frames of a clip
text    token dropout
mix     MixUp and CutMix of pairs of examples and the labels of all heads
masking hides words and patches, which become the labels of a `masked_model`

Each returns a function `(ready, labels, seed) -> (ready, labels)` of the tensors of one batch, by name, and its seed
(2,) int64. All random numbers are derived from the seed, so an epoch is reproducible and differs from the next one.
Functions of your own may be used as well:

    batches = mm.data.train_batches(train, preprocess, heads, augment=[mm.augment.image(photo, flip=True), my_own])

`eval_batches` has no such argument, and exports hold only `preprocess` and the model: neither ever augments.

>>> import mmkeras as mm
>>> voice = mm.Audio("voice", seconds=0.5, sample_rate=8000)
>>> ready = {"voice": np.ones((2, 4000), "float32"), "voice_mask": np.ones((2, 4000), bool)}
>>> steps = in_turn([audio(voice, gain_db=6.0), audio(voice, shift_seconds=0.1)])
>>> first, _ = steps(ready, {}, (7, 0))
>>> again, _ = steps(ready, {}, (7, 0))
>>> other, _ = steps(ready, {}, (7, 1))
>>> np.array_equal(first["voice"], again["voice"]), np.array_equal(first["voice"], other["voice"])
(True, False)
"""

from mmkeras.augment._audio import audio
from mmkeras.augment._image import image
from mmkeras.augment._masking import masking
from mmkeras.augment._mix import mix
from mmkeras.augment._text import text
from mmkeras.augment._video import video
from mmkeras.augment.steps import in_turn

__all__ = ["audio", "image", "in_turn", "masking", "mix", "text", "video"]
