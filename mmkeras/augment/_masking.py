"""Masks words, patches and spans of sound, and mismatches pairs: the training task of a `masked_model`."""

import math

import keras
import tensorflow as tf

from mmkeras.augment.steps import Augmentation, check_range, seeds
from mmkeras.checks import check, did_you_mean

_UNKNOWN, _GREY = 1, 128


def masking(
    model: keras.Model, *, words: float = 0.15, patches: float = 0.5, mismatch: str | None = None, share: float = 0.5
) -> Augmentation:
    """Hides words and patches of each example, and gives what it hid as labels; for `masked_model`.

    Of the words that are chosen, 8 in 10 become the unknown token, 1 in 10 another word, and 1 in 10 stays: the model
    cannot know which ones it is asked for. Of each text at least one is chosen. Chosen patches become grey. A sound is
    cut into as many spans as its branch gives tokens; chosen ones become silent, and the log of their mean power in
    bands of equal width is guessed. In `share` of the examples one modality is that of another example of the batch;
    nothing is hidden there, and "matching" is 0.

    For validation, map it over batches with a seed of your own:
    `mm.data.eval_batches(raw, preprocess, heads=()).map(lambda x: masking(x, {}, (0, 0)))`.

    Args:
        model: `masked_model`, whose outputs say what is guessed.
        words: probability of each token to be chosen.
        patches: of each patch, and of each span of a sound.
        mismatch: name of the modality that is exchanged; None: the last spec.
        share: of the examples in which it is.

    Returns:
        Function (ready, labels, seed) -> (ready, labels): ids (B, T) int32 of chosen tokens and -1 of others; chosen
        patches or energies (B, T, P) float32 and NaN elsewhere; "matching" (B, 1) float32, NaN where the modality, or
        all others, are absent.

    Raises:
        ValueError: the model is none, there is no such modality, or a probability is outside [0, 1].

    Source: Devlin et al., arXiv 1810.04805, section 3.1 (80, 10, 10 %, with [MASK] for our unknown token); Xie et al.,
    arXiv 2111.09886 (patches); Lu et al., arXiv 1908.02265, section 3.2 (mismatched pairs).
    """
    check_range("masking", 0, 1, words=words, patches=patches, share=share)
    names = [spec.name for spec in model.specs]
    known = any(name.endswith("_masked") or name == "matching" for name in model.output)
    check(known, "augment.masking is for a mm.masked_model.", f"outputs {list(model.output)}", "Build one.")
    mismatch = names[-1] if mismatch is None else mismatch
    remedy = did_you_mean(mismatch, names) or "Name one."
    check(mismatch in names, f"mismatch is one of {names}.", repr(mismatch), remedy)
    guessed = [spec for spec in model.specs if f"{spec.name}_masked" in model.output]

    def apply(ready, labels, seed):
        ready, own = dict(ready), seeds(tf.cast(seed, tf.int64), len(guessed) + 1)
        made, same = {}, None
        if "matching" in model.output:
            ready, made["matching"] = _exchanged(ready, model.specs, mismatch, share, own[-1])
            same = made["matching"][:, 0] != 0  # an unknown label (NaN) counts as a match
        for spec, drawn in zip(guessed, own, strict=False):
            hide, rate = {"text": (_words, words), "image": (_patches, patches), "audio": (_spans, patches)}[spec.kind]
            hidden, made[f"{spec.name}_masked"] = hide(spec, ready, same, rate, drawn, model.output)
            ready |= hidden
        return ready, labels | made

    apply.gives = tuple(model.output)  # names of the labels that this step adds
    return apply


def _there(ready, spec):
    """Whether a modality is present, (B,) bool."""
    name = next(iter(spec.ready))
    mask = ready.get(f"{spec.name}_mask")
    return tf.ones(tf.shape(ready[name])[:1], tf.bool) if mask is None else tf.reduce_any(mask, axis=1)


def _exchanged(ready, specs, name, share, seed):
    """The batch with a modality exchanged between some examples, and whether each example still matches, (B, 1)."""
    first, second = seeds(seed, 2)
    spec = next(spec for spec in specs if spec.name == name)
    rows = tf.shape(ready[next(iter(spec.ready))])[0]
    step = tf.random.stateless_uniform([], first, 1, tf.maximum(rows, 2), tf.int32)
    other = (tf.random.stateless_uniform([rows], second) < share) & (rows > 1)
    source = tf.where(other, (tf.range(rows) + step) % tf.maximum(rows, 1), tf.range(rows))
    ready = ready | {key: tf.gather(ready[key], source) for key in spec.ready}
    rest = tf.reduce_any([_there(ready, each) for each in specs if each.name != name], axis=0)
    label = tf.where(_there(ready, spec) & rest, tf.cast(~other, tf.float32), math.nan)
    return ready, label[:, None]


def _chosen(there, rate, seed):
    """(B, T) bool: a random share `rate` of the tokens that are present, at least one of them if there are any."""
    drawn = tf.where(there, tf.random.stateless_uniform(tf.shape(there), seed), 2.0)
    return there & ((drawn < rate) | (drawn == tf.reduce_min(drawn, axis=1, keepdims=True)))


def _words(spec, ready, same, rate, seed, outputs):
    first, second, third = seeds(seed, 3)
    ids, mask = tf.convert_to_tensor(ready[spec.name]), ready[f"{spec.name}_mask"]
    chosen = _chosen(mask if same is None else mask & same[:, None], rate, first)
    how = tf.random.stateless_uniform(tf.shape(ids), second)
    word = tf.random.stateless_uniform(tf.shape(ids), third, 2, spec.ids, ids.dtype)
    shown = tf.where(how < 0.8, tf.constant(_UNKNOWN, ids.dtype), tf.where(how < 0.9, word, ids))
    return {spec.name: tf.where(chosen, shown, ids)}, tf.where(chosen, ids, -1)


def _patches(spec, ready, same, rate, seed, outputs):
    count, numbers = outputs[f"{spec.name}_masked"].shape[1:]
    side = math.isqrt(numbers // spec.channels)
    pixels = tf.convert_to_tensor(ready[spec.name])
    parts = _cut(pixels, side)
    there = _there(ready, spec) if same is None else _there(ready, spec) & same
    chosen = _chosen(tf.repeat(there[:, None], count, axis=1), rate, seed)
    target = tf.where(chosen[..., None], tf.cast(parts, tf.float32) / 127.5 - 1.0, math.nan)
    shown = tf.where(chosen[..., None], tf.constant(_GREY, pixels.dtype), parts)
    return {spec.name: _joined(shown, side, pixels)}, target


def _spans(spec, ready, same, rate, seed, outputs):
    count, bands = outputs[f"{spec.name}_masked"].shape[1:]
    wave, mask = (tf.convert_to_tensor(ready[key]) for key in spec.ready)
    samples = wave.shape[1] // count
    parts = tf.reshape(wave[:, : count * samples], (-1, count, samples))
    there = tf.reduce_all(tf.reshape(mask[:, : count * samples], (-1, count, samples)), axis=2)
    chosen = _chosen(there if same is None else there & same[:, None], rate, seed)
    target = tf.where(chosen[..., None], _energies(parts, bands), math.nan)
    shown = tf.reshape(tf.where(chosen[..., None], 0.0, parts), (-1, count * samples))
    return {spec.name: tf.concat([shown, wave[:, count * samples :]], axis=1)}, target


def _energies(parts, bands):
    """Samples (B, T, S) -> log of the mean power in equally wide frequency bands, (B, T, bands)."""
    power = tf.abs(tf.signal.rfft(parts)) ** 2
    width = power.shape[-1] // bands
    power = tf.reshape(power[..., : width * bands], (-1, parts.shape[1], bands, width))
    return tf.math.log(tf.reduce_mean(power, axis=-1) + 1e-6)


def _cut(pixels, side):
    """Images (B, H, W, C) -> patches (B, T, side * side * C), row by row."""
    _, height, width, channels = pixels.shape
    x = tf.reshape(pixels, (-1, height // side, side, width // side, side, channels))
    return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height * width // side**2, side * side * channels))


def _joined(parts, side, pixels):
    _, height, width, channels = pixels.shape
    x = tf.reshape(parts, (-1, height // side, width // side, side, side, channels))
    return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), tf.shape(pixels))
