"""The parity report: Keras, the SavedModel and the LiteRT file on the same examples, by answers, metrics and time."""

import json
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from rich.table import Table

from mmkeras.contract.raw_examples import selected
from mmkeras.evaluate._scores import scores
from mmkeras.evaluate.kinds import kind_of
from mmkeras.export._litert.verify.check import batches, differences, tensors
from mmkeras.export._litert.verify.prepared import check_prepared
from mmkeras.export.distance import agreement, compare
from mmkeras.export.fit import decoded
from mmkeras.export.ops import used_ops
from mmkeras.export.parity import answer_problems, check_outputs, numbers_of, refuse, units
from mmkeras.export.process.litert import time_files
from mmkeras.export.process.saved_model import run_fresh
from mmkeras.preprocess.model import traced

_CALLS = 30
# Tolerances for a SavedModel, looser than those of its export; in mixed precision, it is compared with float32 here.
SERVED = {"float32": 1e-3, "mixed": 5e-2}


def parity(path, preprocess, model, heads, description, raw, form, inputs, allowed, timeout, labels, saved_model):
    """Asks all of them.

    Args:
        path: of the .tflite file.
        preprocess, model, heads, timeout: as in `litert`.
        description: dict of `describe`.
        raw: dict of arrays (n,).
        form: of the file.
        inputs: of `flatbuffer.signature`.
        allowed: dict, the "tolerance" and "half" of `distance.faults`.
        labels: dict of `read_once`.
        saved_model: None, or (path of a version, tolerance).

    Returns:
        (found, answers): dict, from "max_difference" to "edge" in the report of `litert`; and the outputs of "litert"
        and "keras" by head, a dict of dicts of arrays (n, ...).

    Raises:
        ValueError: answers are beyond the tolerance.
    """
    ready = {key: value.numpy() for key, value in traced(preprocess)(tensors(raw)).items()}
    feeds, n = batches(ready, form, inputs), len(next(iter(raw.values())))
    largest, *both = differences(path, model, heads, feeds, n, form, allowed, timeout)
    answers, served = dict(zip(("litert", "keras"), both, strict=True)), {}
    if saved_model:
        served_path, tolerance = saved_model
        answers["saved_model"] = _served(served_path, heads, raw, answers["keras"], tolerance)
    found = compared(heads, answers, labels, allowed["half"])
    far = found.pop("max_difference")
    if saved_model:
        served["saved_model"] = {"path": str(served_path), "max_difference": far["saved_model"]}
    found |= {"max_difference": largest, **_latency(path, model, feeds[0], form, timeout)}
    return found | {"edge": check_prepared(description, raw, ready), **served}, answers


def read_once(samples, preprocess, heads, count):
    """The first `count` samples as a dict of lists, and the encoded labels that are among them.

    Both in one pass: a data set that shuffles gives other rows the next time. Of a plain dict of arrays nobody knows
    whether its labels are encoded; it stays as it is, and so does what holds no examples.
    """
    if not isinstance(samples, tf.data.Dataset) or not isinstance(samples.element_spec, dict):
        return samples, {}
    spec = samples.element_spec
    known = [head.name for head in heads if head.name in spec and spec[head.name].dtype != tf.string]
    wanted = [name for name in [*preprocess.input, *known] if name in spec]
    rows = list(selected(samples, wanted).take(count).as_numpy_iterator())
    if not rows:
        return samples, {}
    labels = {name: np.array([row[name] for row in rows]) for name in known}
    labels |= {
        head.name: head.targets(labels[head.name]) for head in heads if head.needs_targets and head.name in known
    }
    return {name: [row[name] for row in rows] for name in wanted}, labels


def compared(heads, answers, labels, half=False):
    """How near the answers of one are to those of Keras.

    Args:
        heads: list of heads.
        answers: dict, name of who answers -> dict, head -> array (n, ...); "keras" is one of them.
        labels: dict of `labels_of`, of the first m <= n examples.
        half: of `distance.distances`.

    Returns:
        Dict: "max_difference", "mean_difference" and "relative_difference" (see `distance.compare`) and, for
        classifications and texts, "agreement" (share of examples of the same class, set of classes, or text), each by
        name and head;
        "metrics", too, where there are labels: all that `evaluate.scores` says.
    """
    keras_ = answers["keras"]
    others = {who: values for who, values in answers.items() if who != "keras"}
    far = {who: {name: compare(unit, values[name], keras_[name], half) for name, unit in units(heads).items()
                 if name in values} for who, values in others.items()}  # fmt: skip
    named = {head.name: head.unit for head in heads if head.classes or head.unit["kind"] in ("texts", "tokens")}
    same = {who: {name: agreement(unit, values[name], keras_[name]) for name, unit in named.items() if name in values}
            for who, values in others.items()}  # fmt: skip
    with_labels = [head for head in heads if len(labels.get(head.name, ()))]
    metrics = {who: {head.name: _metrics(head, labels[head.name], values[head.name]) for head in with_labels
                     if head.name in values}
               for who, values in sorted(answers.items())}  # fmt: skip
    numbers = {f"{short}_difference": {who: {name: each[key] for name, each in by_head.items()}
                                       for who, by_head in far.items()}
               for short, key in (("max", "largest"), ("mean", "mean"), ("relative", "relative"))}  # fmt: skip
    return numbers | {"agreement": same, "metrics": metrics if with_labels else {}}


def _metrics(head, labels, outputs):
    there = np.asarray(head.labelled(labels))
    found = scores(head, labels[there], outputs[: len(labels)][there])
    return json.loads(json.dumps(found), parse_constant=lambda _: None)  # NaN marks an undefined metric


def _served(path, heads, raw, keras_, tolerance):
    """Answers of a SavedModel written by `export.saved_model`, run in a process without mmkeras.

    Args:
        path: of its version.
        raw: dict of arrays (n,).
        keras_: the answers of Keras.
        tolerance: of `distance.faults`.

    Returns:
        The outputs of those heads whose answers hold them, by head.

    Raises:
        ValueError: they are far away: it is the export of another model, or of older weights.
    """
    (found,) = run_fresh(path, used_ops(path), [("serving_default", raw)])["outputs"]
    answers = numbers_of(heads, found)
    check_outputs(str(path), [head for head in heads if head.name in answers], answers, keras_, tolerance)
    texts = [head for head in heads if head.name not in answers]
    expected = {name: np.asarray(value) for name, value in decoded(texts, keras_).items()}
    _, problems = answer_problems(texts, {name: found.get(name) for name in expected}, expected, tolerance)
    refuse({f"{path}: {name}": lines for name, lines in problems.items()}, tolerance)
    return answers


def _latency(path, model, feed, form, timeout):
    """Median milliseconds of a call of the file and of `model.predict_on_batch`, on one feed, and their ratio."""
    (seconds,) = time_files([(path, feed)], _CALLS, timeout)
    again = keras.Model(model.input, model.output)  # leave the model's own predict function alone
    ready = {key: np.asarray(value) for key, value in form.ready(feed).items()}
    again.predict_on_batch(ready)
    times = {"litert": statistics.median(seconds), "predict_on_batch": statistics.median(_times(again, ready))}
    ratio = round(times["litert"] / times["predict_on_batch"], 4)
    return {"latency_ms": {who: round(1000 * each, 4) for who, each in times.items()}, "latency_ratio": ratio}


def _times(model, ready):
    for _ in range(_CALLS):
        started = time.perf_counter()
        model.predict_on_batch(ready)
        yield time.perf_counter() - started


def table(report):
    """Shows the report as a `rich.table.Table`: differences from Keras per answer, and the metrics of all."""
    several = len(report["mean_difference"]) > 1
    names = [who for who in _TITLES if who in report["metrics"]]
    shown = Table("", "largest", "mean", "same answer", *(_TITLES[name] for name in names))
    shown.title = f"{report['name']}, {report['quantize'] or 'float32'}: {report['samples']} samples, beside Keras"
    for who, mean in report["mean_difference"].items():
        largest = report["saved_model"]["max_difference"] if who == "saved_model" else report["max_difference"]
        for head, value in mean.items():
            agreement = report["agreement"][who].get(head)
            cells = [f"{largest[head]:.1e}", f"{value:.1e}", "-" if agreement is None else f"{agreement:.3f}"]
            title = f"{head} ({_TITLES[who]})" if several else head
            shown.add_row(
                title, *cells, *(_cell(report["metrics"][name].get(head)) if who == "litert" else "" for name in names)
            )
    return shown


_TITLES = {"keras": "Keras", "saved_model": "SavedModel", "litert": "LiteRT"}


def _cell(found):
    if not found:
        return "-"
    key = kind_of(found["kind"]).MAIN
    return f"{key} {found[key]:.4g}"
