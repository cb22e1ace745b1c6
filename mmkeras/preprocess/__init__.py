"""Raw -> ready: one `keras.Model` without trained weights and without randomness.

The same object runs in `tf.data` and inside the SavedModel, so what serving does to a file is what training did.
Everything in its graph is TensorFlow's own or tensorflow-text's, which is what TF Serving's stock binary holds.
"""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf
from rich.progress import track

from mmkeras.contract.raw_examples import RawExamples
from mmkeras.data_checks import check_examples, check_preprocess, check_singles
from mmkeras.preprocess._layer import RawLayer
from mmkeras.preprocess.audio import DecodeAudio
from mmkeras.preprocess.image import DecodeImage
from mmkeras.preprocess.model import Preprocess
from mmkeras.preprocess.preset import PresetIds
from mmkeras.preprocess.table import TableRow
from mmkeras.preprocess.text import TokenIds
from mmkeras.preprocess.vector import VectorRow
from mmkeras.preprocess.video import DecodeVideo
from mmkeras.specs import Spec, check_specs

__all__ = [
    "KINDS", "DecodeAudio", "DecodeImage", "DecodeVideo", "Preprocess", "PresetIds", "RawLayer", "TableRow", "TokenIds",
    "VectorRow", "adapt", "preprocessor",
]  # fmt: skip


_PICTURE = ("channels", "resize", "optional", "max_pixels")


def _fields(spec, *names):
    return {name: getattr(spec, name) for name in names}


def _tokens(spec, name):
    if spec.preset is not None:
        return PresetIds.of(spec, name=name)
    return TokenIds(
        spec.max_tokens,
        **_fields(spec, "tokenizer", "vocabulary_size", "vocabulary", "lowercase", "strip_markup", "optional"),
        name=name,
    )


# Kind of a spec -> function (spec, name) that makes its layer. Further kinds may be added.
KINDS = {
    "text": _tokens,
    "image": lambda spec, name: DecodeImage(spec.size, **_fields(spec, *_PICTURE), name=name),
    "audio": lambda spec, name: DecodeAudio(spec.samples, **_fields(spec, "sample_rate", "optional"), name=name),
    "video": lambda spec, name: DecodeVideo(spec.frames, **_fields(spec, "size", *_PICTURE), name=name),
    "table": lambda spec, name: TableRow(
        **_fields(spec, "numeric", "dates", "categorical", "max_categories", "optional"), name=name
    ),
    "vector": lambda spec, name: VectorRow(spec.size, optional=spec.optional, name=name),
}


def preprocessor(specs: Sequence[Spec], *, name: str = "preprocess") -> Preprocess:
    """A model, dict of raw (B,) strings and numbers, or vectors (B, D) -> dict of ready tensors, for all specs.

    Text vocabularies, category vocabularies and the statistics of numeric columns are learned by `adapt`.

    Args:
        specs: list of specs.
        name: of the model.

    Returns:
        `Preprocess`, a keras.Model; save it as `.keras` (`mm.load_model` loads it), call it on batches, map it over a
        `tf.data.Dataset` of batches.

    Raises:
        ValueError: two specs share a raw or ready name.

    Example:

    >>> import mmkeras as mm
    >>> ready = mm.preprocessor([mm.Text("review", vocabulary=("good", "bad"), max_tokens=3)])
    >>> ready({"review": tf.constant(["Good!", "not bad"])})["review"].numpy().tolist()
    [[2, 1, 0], [1, 3, 0]]
    """
    check_specs(specs)
    inputs = {
        key: keras.Input(shape, dtype=dtype, name=key) for spec in specs for key, (shape, dtype) in spec.raw.items()
    }
    ready = {}
    for spec in specs:
        raw = {key: inputs[key] for key in spec.raw}
        layer = _layer(spec)
        outputs = layer(raw if layer.takes_columns else raw[spec.name])
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        ready |= zip(spec.ready, outputs, strict=True)
    return Preprocess.of(inputs, ready, specs, name=name)


def _layer(spec):
    if getattr(spec, "kind", None) not in KINDS:
        raise TypeError(f"A spec must be of one of the kinds {list(KINDS)}, such as mm.Text(...). Received: {spec!r}.")
    return KINDS[spec.kind](spec, f"{spec.name}_preprocess")


def adapt(
    preprocess: Preprocess, raw: tf.data.Dataset | None, *, batch_size: int = 1024, verbose: bool = True
) -> Preprocess:
    """Learns vocabularies and statistics from the raw examples, in one pass.

    Only the columns that something is learned from are read; no image or sound file is opened. Build branches from
    `preprocess.specs`: they know how many words and categories there are. `heads.adapt` does the same for heads.

    Args:
        preprocess: model from `preprocessor`, which is left as it is.
        raw: `tf.data.Dataset` of raw examples (dicts), finite; the *training* part only. May be
            None where there is nothing to learn.
        batch_size: examples per step.
        verbose: show a progress bar and what was learned.

    Returns:
        A copy of `preprocess` that has learned; `preprocess` itself where there is nothing to learn.

    Raises:
        TypeError: something else is given, such as the two in the other order.
        ValueError: the data set is empty, infinite, batched, of pairs, or lacks a column.
    """
    check_preprocess("adapt", preprocess, raw)
    if raw is None and not _adapting(preprocess):
        return preprocess
    check_examples("adapt", raw)
    check_singles("adapt", raw, preprocess)
    if not _adapting(preprocess):
        return preprocess
    preprocess = _copied(preprocess)
    layers = _adapting(preprocess)
    columns = [column for layer in layers for column in layer.raw_names]
    for layer in layers:
        layer.reset_state()
    batches = _select(raw, columns, batch_size)
    steps = int(batches.cardinality())
    if steps == tf.data.INFINITE_CARDINALITY:
        raise ValueError("adapt needs a finite data set. Received: an infinite one. Take a part of it: raw.take(n).")
    seen = 0
    for batch in track(batches, "Learning vocabularies", steps if steps > 0 else None, disable=not verbose):
        seen += len(next(iter(batch.values())))
        for layer in layers:
            layer.update_state({column: batch[column].numpy() for column in layer.raw_names})
    if not seen:
        raise ValueError("adapt needs examples. Received: an empty data set. Check the filter or the split before it.")
    for layer in layers:
        report = layer.finalize_state()
        if verbose:
            print(f"  {layer.modality}: {report}")
    if verbose:
        _tell_sizes(preprocess)
    return preprocess


def _adapting(preprocess):
    return [layer for layer in preprocess.layers if getattr(layer, "adapts", False)]


def _copied(preprocess):
    copied = keras.models.clone_model(preprocess)
    copied = Preprocess.of(copied.input, copied.output, preprocess.given, name=preprocess.name)
    copied.set_weights(preprocess.get_weights())
    return copied


def _tell_sizes(preprocess):
    learned = [spec for spec in getattr(preprocess, "specs", ()) if getattr(spec, "learned", None)]
    names = [spec.name for spec in learned if spec.ids != dataclasses.replace(spec, learned=None).ids]
    if names:
        print(f"  Branches of {', '.join(names)} need fewer rows than there was room for: build them from "
              "preprocess.specs, which know how many.")  # fmt: skip


def _select(raw, columns, batch_size):
    received = list(raw.element_spec) if isinstance(raw.element_spec, dict) else raw.element_spec
    missing = [column for column in columns if column not in received]
    if missing:
        raise ValueError(
            f"Raw examples must be dicts that hold each raw name. Missing: {missing}. Received: {received}. "
            "Build them with mmkeras.data, or rename the keys."
        )
    if isinstance(raw, RawExamples):
        return raw.select(columns).batches(batch_size)
    return raw.map(lambda example: {column: example[column] for column in columns}).batch(batch_size)
