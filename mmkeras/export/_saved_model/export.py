"""The SavedModel for TF Serving: raw strings and bytes in, named answers out."""

import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.contract import without_auxiliary
from mmkeras.distribute import cluster
from mmkeras.export import record
from mmkeras.export._saved_model import serving
from mmkeras.export._saved_model.isolated import isolated
from mmkeras.export._saved_model.recurrent import fast_lstms
from mmkeras.export.card import model_card
from mmkeras.export.fit import check_fit, decoded
from mmkeras.export.folder import check_version, new_version
from mmkeras.export.folder import next_version as next_free
from mmkeras.export.graph import checked, holder, portable
from mmkeras.export.ops import check_ops, used_ops
from mmkeras.export.parity import answer_problems, refuse
from mmkeras.export.process.saved_model import run_fresh
from mmkeras.export.samples import ABSENT, optional_names, raw_samples
from mmkeras.formats.status import STATUS, check_on_error
from mmkeras.heads import Head, heads_of
from mmkeras.preprocess.model import traced


def saved_model(
    preprocess: keras.Model,
    model: keras.Model,
    path: str | PathLike[str],
    *,
    heads: Sequence[Head] | None = None,
    samples: Any = None,
    tolerance: float = 1e-5,
    version: str | None = None,
    evaluation: Mapping[str, Any] | None = None,
    on_error: str = "raise",
) -> dict[str, Any]:
    """Exports preprocessing, model and decoding as one SavedModel, and verifies that it gives the same answers.

    It has three signatures with a dynamic batch dimension, which return the decoded answers of the heads by name:

    | signature | takes |
    |---|---|
    | `serving_default` | raw tensors (B,) by name: strings, bytes of files, numbers; vectors (B, D) |
    | `ready` | ready tensors by name, as `preprocess` gives them; NaN, infinity and numbers beyond 1e12 are refused |
    | `examples` | `examples` (B,), serialized `tf.Example`s of raw features; optional ones may be left out |

    Before the folder gets its final name, all ops are checked to be those of TensorFlow and tensorflow-text, and a new
    process without mmkeras loads the SavedModel and runs `samples` through every signature.

    Args:
        preprocess: adapted model, raw -> ready.
        model: trained model, ready -> outputs by head name.
        path: `saved_models/NAME/VERSION`, a positive integer that does not exist yet; `~` is the home folder.
        heads: list of heads; None for those that `model` was built with.
        samples: raw examples to compare the answers on: `tf.data.Dataset`, or dict of arrays; labels are ignored. The
            first 8 are used, and one without its optional modalities. If None, two examples are generated from the
            specs (the word "a", noise, zeros), which tests the graph but not your data.
        tolerance: largest allowed difference of one example: for a single label, half the sum of the differences of all
            probabilities; for several labels, the largest difference of a probability; for numbers, in standard
            deviations of the head (minus float32 rounding). The mean over the samples may be at most a quarter of it,
            and class names must be equal; see `export.distance`.
        version: None if `path` ends in the version; "next" for the next free number below `path`, `saved_models/NAME`.
        evaluation: what `evaluate.report` or `evaluate.full_report` returned, shown in the model card.
        on_error: what becomes of an example with a broken value, such as a damaged file, an infinite number or a
            missing required input. "raise": its whole batch fails, and so do the requests of other clients that the
            server has put into it. "skip": it alone has no answer ("" for texts, NaN for numbers, -1 for ids), and the
            others are answered. "absent": the same, but a broken value of an optional modality counts as missing. The
            last two add an answer `status` (B,) string: "", or "refused: MODALITY: CAUSE", or "absent: MODALITY:
            CAUSE". In JSON, servers write NaN as the token NaN, which a strict parser does not take.

    Returns:
        Dict, the report: "path", "samples", "tolerance", "max_difference" by run and answer (units as of `tolerance`),
        "largest_difference" of all, "ops", "warmup", "seconds". It is also in `assets.extra/parity.json`; beside it
        are `MODEL_CARD.md` (see `model_card`), `request.json` (the body of a REST request), `answers.json` (Python's
        answers to it), `signature.json`, the warm-up requests of TF Serving, and `SHA256SUMS`, the checksums of all
        files but the card. `mmkeras verify PATH` checks the last and asks the request again.

    Raises:
        ValueError: preprocess, model and heads do not fit together, TF Serving lacks an op, or answers differ.
        FileExistsError: the version exists.
        RuntimeError: the SavedModel does not load or run in a new process.
            After an error, no files are left behind.
    """
    started = time.perf_counter()
    path = Path(path).expanduser()
    path = next_free(path) if _is_next(version) else path
    check_version(path)
    heads = heads_of(model, heads)
    model = without_auxiliary(model, heads)
    check_fit(preprocess, model, heads)
    check_on_error(on_error)
    if not cluster().is_chief:  # only the chief of several workers writes
        return None
    raw = raw_samples(preprocess, samples)
    with new_version(path) as unfinished, portable(model):
        with fast_lstms(model):
            _write(preprocess, model, heads, unfinished, on_error)
        places = used_ops(unfinished)
        check_ops(places)
        runs, expected = _runs(preprocess, model, heads, raw)
        fresh = run_fresh(unfinished, places, list(runs.values()))
        check_ops(places, fresh["owners"])
        for outputs in fresh["outputs"]:
            outputs.pop(STATUS if on_error != "raise" else None, None)  # the samples can be used, or Python had failed
        report = _report(fresh, heads, dict(zip(runs, expected, strict=True)), raw, samples is None, tolerance)
        warmup = [(name, inputs) for name, inputs in runs.values() if name == "serving_default"]
        signature = _signature(fresh, heads, preprocess, on_error)
        _write_beside(unfinished, path, heads, report, raw, expected[0], warmup, signature)
        card = model_card(model, heads, name=path.parent.name, report=evaluation, export=report)
        (unfinished / "assets.extra" / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        serving.write_manifest(unfinished)
    return {"path": str(path), **report, "seconds": round(time.perf_counter() - started, 1)}


def _is_next(version):
    if version not in (None, "next"):
        raise ValueError(f'version must be None (path then ends in the version) or "next". Received: {version!r}.')
    return version == "next"


def _write(preprocess, model, heads, path, on_error):
    trace = isolated if on_error != "raise" else _plain
    ready, serving_default, examples = trace(preprocess, model, heads, functions := {}, _features(preprocess), on_error)
    # `examples` calls `serving_default`, which calls `ready`: the model is traced once. TensorFlow inlines the calls.
    functions |= {
        "ready": _function(ready, _tensor_specs(model.input)),
        "serving_default": _function(serving_default, _tensor_specs(preprocess.input)),
        "examples": _function(examples, tf.TensorSpec((None,), tf.string, name="examples")),
    }
    signatures = {name: function.get_concrete_function() for name, function in functions.items()}
    # A served model needs no gradients.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(holder(signatures, preprocess, model), str(path), signatures, options)


def _plain(preprocess, model, heads, functions, features, on_error):
    """The three signatures as Python functions; they find each other in `functions`."""

    def ready(tensors):
        return decoded(heads, model(checked(tensors), training=False))

    def serving_default(tensors):
        return functions["ready"](preprocess(tensors, training=False))

    def examples(protos):
        return functions["serving_default"](tf.io.parse_example(protos, features))

    return ready, serving_default, examples


def _function(python_function, spec):
    return tf.function(python_function, input_signature=[spec], autograph=False)


def _tensor_specs(inputs):
    return {key: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=key) for key, tensor in inputs.items()}


def _features(preprocess):
    optional = optional_names(preprocess, cells=True)
    return {
        key: tf.io.FixedLenFeature(
            tensor.shape[1:], tensor.dtype, np.full(tensor.shape[1:], ABSENT[tensor.dtype]) if key in optional else None
        )
        for key, tensor in preprocess.input.items()
    }


def _runs(preprocess, model, heads, raw):
    """Runs of every signature on the same samples and on a single example, and Python's answers to each."""
    # Run on the CPU, like the fresh process: GPUs may multiply with less than float32 precision.
    with tf.device("CPU:0"):
        ready = traced(preprocess)({key: tf.constant(value) for key, value in raw.items()})
        answers = {key: value.numpy() for key, value in decoded(heads, model(ready, training=False)).items()}
    protos = serving.serialized_examples(raw, optional_names(preprocess, cells=True))
    first = {key: value[:1] for key, value in raw.items()}
    runs = {
        "serving_default": ("serving_default", raw),
        "serving_default, one example": ("serving_default", first),
        "ready": ("ready", {key: value.numpy() for key, value in ready.items()}),
        "examples": ("examples", {"examples": protos}),
    }
    return runs, [answers, {key: value[:1] for key, value in answers.items()}, answers, answers]


def _report(fresh, heads, expected, raw, made_up, tolerance):
    differences, problems = {}, {}
    for (run, wanted), received in zip(expected.items(), fresh["outputs"], strict=True):
        differences[run], found = answer_problems(heads, received, wanted, tolerance)
        problems |= {f"{run}: {name}": sentences for name, sentences in found.items()}
    refuse(problems, tolerance)
    owners = fresh["owners"]
    return {
        "samples": f"{len(next(iter(raw.values())))} {'made up' if made_up else 'given'}",
        "tolerance": tolerance,
        "max_difference": differences,
        "largest_difference": max(max(answers.values()) for answers in differences.values()),
        "ops": {
            "tensorflow": sum(owner == "tensorflow" for owner in owners.values()),
            "tensorflow-text": [op for op, owner in owners.items() if owner == "tensorflow-text"],
        },
    }


def _signature(fresh, heads, preprocess, on_error):
    return {
        "on_error": on_error,
        "versions": serving.versions(),
        "signatures": {
            name: told | {"outputs": _by_head(told["outputs"], heads)} for name, told in fresh["signatures"].items()
        },
        "classes": {head.name: list(head.classes) for head in heads if head.classes},
        "may_be_absent": optional_names(preprocess),
        "inputs": serving.described_inputs(preprocess),
    }


def _by_head(outputs, heads):
    """Outputs in the order of the heads: that of a loaded signature depends on TensorFlow's version."""

    def place(name):
        own = [i for i, head in enumerate(heads) if name == head.name or name.startswith(f"{head.name}_")]
        return own[0] if own else len(heads), name

    return {name: outputs[name] for name in sorted(outputs, key=place)}


def _write_beside(unfinished, path, heads, report, raw, answers, warmup, signature):
    extra = unfinished / "assets.extra"
    extra.mkdir()
    written = serving.write_warmup(extra, path.parent.name, warmup)
    missing = "left out: tensorflow-serving-api is not installed (pip install 'mmkeras[serving]')"
    report["warmup"] = f"{len(warmup)} requests" if written else missing
    raw, answers = ({key: value[: record.COUNT] for key, value in each.items()} for each in (raw, answers))
    serving.write_json(extra, "request.json", serving.rest_request(raw))
    serving.write_json(extra, "answers.json", record.of_answers(heads, answers, report["tolerance"]), indent=None)
    serving.write_json(extra, "signature.json", signature)
    serving.write_json(extra, "parity.json", report)
