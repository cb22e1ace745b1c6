"""MixUp and CutMix of pairs of examples and the labels of all heads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from mmkeras.augment.steps import Augmentation, check_range, seeds
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.specs import Spec

if TYPE_CHECKING:
    from mmkeras.heads import Head


def mix(
    specs: Spec | Sequence[Spec],
    heads: Sequence["Head"],
    *,
    mixup: float = 0.2,
    cutmix: float = 0.0,
    share: float = 1.0,
    unmixed: Sequence[str] = (),
) -> Augmentation:
    """Mixes each example, and its labels, with another one of its batch.

    MixUp blends pixels and samples. CutMix pastes a rectangle of the partner's picture into the picture, and blends
    sounds in the same proportion. With both, each example is mixed in one of the two ways, with equal probability.

    A label depends on all modalities, so every modality that is informative about it has to be mixed, with the same
    partner and share: pass all of their specs. Texts and tables cannot be mixed; if the batches hold some, either name
    them in `unmixed` (valid only if they are not informative about the labels, or the model does not take them), or mix
    inside the model instead.

    Labels: those of a classification become distributions, float32 (B, N); regression values and multi-label targets
    are averaged. Losses and metrics of the heads accept both forms, so evaluation data need no change. Averaging
    regression values assumes that they depend linearly on the inputs. Class weights become the mean weight of the mixed
    classes. Sample weights are mixed in the same proportion.

    Masking: only examples with the same present modalities are mixed; others stay unchanged. A mixed sound has the
    length of the longer one of the two.

    Args:
        specs: list of `mm.Image` and `mm.Audio`.
        heads: list of all heads whose labels are in the batches.
        mixup: alpha of the distribution Beta(alpha, alpha) of the share of each example; 0 for no MixUp. 0.1 to 0.4 is
            usual; 1 is the uniform distribution.
        cutmix: alpha of CutMix; 0 for none, 1 is usual.
        share: share of the examples that are mixed, in [0, 1].
        unmixed: names of modalities that are not changed.

    Returns:
        Function (ready, labels, seed) -> (ready, labels).

    Raises:
        TypeError: a spec that cannot be mixed.
        ValueError: not exactly one image for CutMix; and, when called, a modality or a label that would not be mixed.

    Example:

    >>> import mmkeras as mm
    >>> photo, kind = mm.Image("photo", size=4), mm.heads.classification("kind", ["a", "b"])
    >>> ready = {"photo": np.stack([np.zeros((4, 4, 3), "uint8"), np.full((4, 4, 3), 100, "uint8")])}
    >>> mixed, labels = mix([photo], [kind], mixup=1.0)(ready, {"kind": np.array([0, 1])}, (0, 1))
    >>> bool(np.abs(mixed["photo"].numpy()[:, 0, 0, 0] - 100 * labels["kind"].numpy()[:, 1]).max() <= 0.5)
    True

    Source: MixUp: Zhang et al., arXiv 1710.09412, equation 1; CutMix: Yun et al., arXiv 1905.04899, equations 1 and 2,
    where the share is that of the rectangle's pixels within the picture; sounds: Tokozume et al., arXiv 1711.10282.
    """
    # keras-cv's MixUp and CutMix draw from `tf.random`, whatever the given seed, and mix the labels of one head only.
    specs = [specs] if not isinstance(specs, list | tuple) else list(specs)
    pictures = _check(specs, mixup, cutmix, share)
    known = {spec.name for spec in specs} | {*unmixed}

    def apply(ready, labels, seed):
        _check_followers(ready, labels, known, heads)
        rows = tf.shape(ready[specs[0].name])[0]
        by_order, by_share, by_kind, by_beta, by_box = seeds(seed, 5)
        order = tf.random.experimental.stateless_shuffle(tf.range(rows), by_order)
        present = tf.stack([_present(ready, spec, rows) for spec in specs], axis=1)
        pair = tf.reduce_all(present == tf.gather(present, order), axis=1) & tf.reduce_any(present, axis=1)
        pair &= order != tf.range(rows)
        pair &= tf.random.stateless_uniform([rows], by_share) < share
        boxed = tf.random.stateless_uniform([rows], by_kind) < _chance(mixup, cutmix)
        own = _beta(rows, tf.where(boxed, float(cutmix), float(mixup)), by_beta)
        stays = None
        if cutmix:
            stays = _outside(pictures[0].size, own, by_box)
            own = tf.where(boxed, tf.reduce_mean(tf.cast(stays, tf.float32), axis=[1, 2, 3]), own)
            stays = tf.where(tf.reshape(boxed & pair, [-1, 1, 1, 1]), tf.cast(stays, tf.float32), 1.0)
        own = tf.where(pair, own, 1.0)
        return _mixed(dict(ready), specs, order, own, boxed, stays), _labels(labels, heads, order, own)

    return apply


def _mixed(ready, specs, order, own, boxed, stays):
    for spec in specs:
        value = tf.convert_to_tensor(ready[spec.name])
        weight = tf.reshape(own, [-1] + [1] * (value.shape.rank - 1))
        if value.shape.rank == 4 and stays is not None:
            weight = tf.where(tf.reshape(boxed, [-1, 1, 1, 1]), stays, weight)
        number = tf.cast(value, tf.float32)
        blend = weight * number + (1.0 - weight) * tf.gather(number, order)
        ready[spec.name] = tf.cast(tf.round(blend) if value.dtype.is_integer else blend, value.dtype)
        if value.shape.rank == 2:
            mask = tf.convert_to_tensor(ready[f"{spec.name}_mask"])
            ready[f"{spec.name}_mask"] = mask | (tf.gather(mask, order) & (weight < 1.0))
    return ready


def _labels(labels, heads, order, own):
    mixed = dict(labels)
    for head in heads:
        label = tf.convert_to_tensor(head.averageable(labels[head.name]))
        mixed[head.name] = own[:, None] * label + (1.0 - own[:, None]) * tf.gather(label, order)
    if SAMPLE_WEIGHT in labels and SAMPLE_WEIGHT not in {head.name for head in heads}:
        weight = tf.cast(labels[SAMPLE_WEIGHT], tf.float32)
        mixed[SAMPLE_WEIGHT] = own * weight + (1.0 - own) * tf.gather(weight, order)
    return mixed


def _present(ready, spec, rows):
    mask = ready.get(f"{spec.name}_mask")
    return tf.ones([rows], tf.bool) if mask is None else tf.reduce_any(tf.convert_to_tensor(mask), axis=1)


def _chance(mixup, cutmix):
    """Probability of CutMix instead of MixUp."""
    return 0.5 if mixup and cutmix else float(bool(cutmix))


def _beta(rows, alpha, seed):
    """Samples of Beta(alpha, alpha), (rows,) float32."""
    alpha = tf.cast(alpha, tf.float64)  # float32 gamma samples underflow to zero for small alphas
    one, two = tf.unstack(tf.random.stateless_gamma([2, rows], seed, alpha, dtype=tf.float64))
    return tf.cast(tf.where(one + two > 0, one / (one + two), 1.0), tf.float32)


def _outside(size, own, seed):
    """(B, H, W, 1) bool: False inside a rectangle that covers the share 1 - own, cut off at the image's edges."""
    centre = tf.random.stateless_uniform([2, tf.shape(own)[0], 1], seed)
    side = tf.sqrt(1.0 - own)[:, None]

    def within(length, middle):
        places = tf.range(length, dtype=tf.float32)[None] + 0.5
        return tf.abs(places - middle * length) < side * length / 2

    rows, columns = within(size[0], centre[0]), within(size[1], centre[1])
    return ~(rows[:, :, None] & columns[:, None, :])[..., None]


def _check(specs, mixup, cutmix, share):
    kinds = [getattr(spec, "kind", type(spec).__name__) for spec in specs]
    if not specs or set(kinds) - {"image", "audio"}:
        raise TypeError(
            f"mm.augment.mix mixes pictures and sounds: mm.Image and mm.Audio specs. Received: {specs}. Texts and "
            "tables cannot be mixed; name those that are not informative about the labels in unmixed=."
        )
    check_range("mix", 0, float("inf"), mixup=mixup, cutmix=cutmix)
    check_range("mix", 0, 1, share=share)
    if not (mixup or cutmix) or (cutmix and kinds.count("image") != 1):
        raise ValueError(
            "mm.augment.mix needs mixup or cutmix above 0, and CutMix exactly one mm.Image. "
            f"Received: mixup={mixup}, cutmix={cutmix}, specs of {kinds}."
        )
    return [spec for spec in specs if spec.kind == "image"]


def _check_followers(ready, labels, known, heads):
    behind = sorted({name.removesuffix("_mask") for name in ready} - known)
    missing = sorted((set(labels) - {SAMPLE_WEIGHT}) ^ {head.name for head in heads})
    if behind or missing:
        raise ValueError(
            "mm.augment.mix must mix all modalities that are informative about the labels, and the labels of all "
            "heads. "
            f"Received: specs and unmixed {sorted(known)} without {behind}; labels without a head, or heads without "
            f"labels: {missing}. Give the specs; texts and tables cannot be mixed: name them in unmixed= if they are "
            "not informative about the labels, or leave MixUp out."
        )
