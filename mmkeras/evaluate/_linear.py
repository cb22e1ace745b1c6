"""Linear embeddings of pairs, the baseline for retrieval."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse
import tensorflow as tf
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer

from mmkeras.checks import check
from mmkeras.specs import Spec

_IDS = 2**18  # more ids than the tokenizer of any preset has; a spec with a preset does not know how many
_SIDE, _BANDS, _MOST = 16, 64, 256  # pixels per side; frequency bands; maximum number of values per modality


def linear_embeddings(
    specs: Sequence[Spec], train: Iterable[Any], batches: Iterable[Any], *, dim: int = 64, ridge: float = 0.1
) -> dict[str, np.ndarray]:
    """Canonical correlation analysis of simple features of two modalities: what a dual encoder has to beat.

    A text is its TF-IDF weighted bag of tokens, a picture 16 x 16 pixels, a video their mean over the frames, a sound
    its mean log spectrum in 64 bands, a vector or table its numbers; each is reduced to at most 256 numbers.

    Args:
        specs: list of two specs, `preprocess.specs`.
        train: batches of ready inputs to learn from, such as `eval_batches(raw, preprocess, heads=())`.
        batches: those to embed.
        dim: D, number of canonical pairs.
        ridge: added to the variances, as a share of their mean.

    Returns:
        Dict, modality -> (n, D) float64 unit vectors of `batches`, zeros where absent, for `evaluate.retrieval`.

    Raises:
        ValueError: not two specs, or one of a kind without such features.

    Source: Hotelling, Relations between two sets of variates, 1936; each canonical pair is weighted with its
    correlation.
    """
    kinds = [spec.kind for spec in specs]
    known = len(specs) == 2 and set(kinds) <= set(_FEATURES)
    check(known, f"linear_embeddings takes two specs of the kinds {list(_FEATURES)}.", kinds, "Leave the baseline out.")
    parts = [_columns(specs, each) for each in (train, batches)]
    both = np.all([parts[0][spec.name][1] for spec in specs], axis=0)
    features = [_reduced(spec, parts[0][spec.name][0][both], parts[1][spec.name][0]) for spec in specs]
    projected = _cca([pair[0] for pair in features], [pair[1] for pair in features], dim, ridge)
    units = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in projected]
    return {spec.name: x * parts[1][spec.name][1][:, None] for spec, x in zip(specs, units, strict=True)}


def _columns(specs, batches):
    """Modality -> (features (n, F), which rows are present (n,))."""
    found = {spec.name: ([], []) for spec in specs}
    for batch in batches:
        ready = batch[0] if isinstance(batch, tuple) else batch
        for spec in specs:
            values = np.asarray(ready[spec.name])
            mask = np.asarray(ready.get(f"{spec.name}_mask", np.ones((len(values), 1), bool)))
            found[spec.name][0].append(_FEATURES[spec.kind](spec, values, mask))
            found[spec.name][1].append(mask.any(1))
    return {name: (_stacked(values), np.concatenate(there)) for name, (values, there) in found.items()}


def _stacked(parts):
    return scipy.sparse.vstack(parts, "csr") if scipy.sparse.issparse(parts[0]) else np.concatenate(parts)


def _bag(spec, ids, mask):
    rows = np.repeat(np.arange(len(ids)), mask.sum(1))
    counts = np.ones(len(rows), "float32")
    return scipy.sparse.csr_array((counts, (rows, ids[mask])), shape=(len(ids), max(spec.ids, _IDS)))


def _pixels(spec, images, mask):
    small = tf.image.resize(tf.cast(images, tf.float32), (_SIDE, _SIDE), method="area").numpy()
    return small.reshape(len(small), -1) / 255.0


def _frames(spec, frames, mask):
    share = mask / np.maximum(mask.sum(1, keepdims=True), 1)
    return _pixels(spec, np.einsum("bfhwc,bf->bhwc", frames.astype("float32"), share), mask)


def _spectrum(spec, waves, mask):
    power = np.abs(np.fft.rfft(waves * mask, axis=1)) ** 2
    bands = np.array_split(power, _BANDS, axis=1)
    return np.log(np.stack([band.mean(1) for band in bands], axis=1) + 1e-6)


def _numbers(spec, values, mask):
    return np.nan_to_num(values.reshape(len(values), -1).astype("float32"))


_FEATURES = {"text": _bag, "image": _pixels, "video": _frames, "audio": _spectrum, "vector": _numbers,
             "table": _numbers}  # fmt: skip


def _reduced(spec, train, test):
    """At most 256 numbers for each row, centred on the mean of the training part."""
    if spec.kind == "text":
        used = np.unique(train.indices)
        train, test = train[:, used], test[:, used]
        weigh = TfidfTransformer(sublinear_tf=True).fit(train)
        train, test = weigh.transform(train), weigh.transform(test)
    if train.shape[1] > _MOST:
        reduce = TruncatedSVD(min(_MOST, train.shape[0] - 1), random_state=0).fit(train)
        train, test = reduce.transform(train), reduce.transform(test)
    train, test = (np.asarray(x.todense() if hasattr(x, "todense") else x, "float64") for x in (train, test))
    return train - train.mean(0), test - train.mean(0)


def _cca(train, test, dim, ridge):
    """Canonical correlation analysis: two views (n, F_i) -> embeddings of the test part (m, dim)."""
    whiten = []
    for x in train:
        covariance = x.T @ x / len(x)
        covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        values, turn = np.linalg.eigh(covariance)
        whiten.append(turn / np.sqrt(np.maximum(values, 1e-12)))
    left, strength, right = np.linalg.svd(whiten[0].T @ (train[0].T @ train[1] / len(train[0])) @ whiten[1])
    dim = min(dim, len(strength))
    turns = [left[:, :dim], right[:dim].T]
    return [x @ w @ turn * strength[:dim] for x, w, turn in zip(test, whiten, turns, strict=True)]
