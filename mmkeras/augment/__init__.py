"""Ready batches -> ready batches with more variety, while training only.

image   flips, crops, zoom, shifts, rotation, brightness, contrast, RandAugment, cutout, by keras-cv
audio   gain, shift, noise, on the waveform (`layers.SpecAugment` masks the spectrogram, within the model)
text    token dropout
mix     MixUp and CutMix: pairs of examples become one, and the labels of every head follow

Each makes a function `(ready, labels, seed) -> (ready, labels)`: dicts of tensors of one batch, and the batch's seed
(2,) int64. Nothing is drawn but from that seed: an epoch is repeatable, and the next one is different. Any function of
this kind will do:

    batches = mm.data.train_batches(train, preprocess, heads, augment=[mm.augment.image(photo, flip=True), my_own])

`eval_batches` has no such argument and the export holds `preprocess` and the model alone: neither ever augments.

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
from mmkeras.augment._mix import mix
from mmkeras.augment._text import text
from mmkeras.augment.steps import in_turn

__all__ = ["audio", "image", "in_turn", "mix", "text"]
