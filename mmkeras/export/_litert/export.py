"""The .tflite file for phones, boards and browsers: ready tensors in, outputs of the heads out."""

import json
import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from rich.console import Console

from mmkeras import __version__
from mmkeras.contract import without_auxiliary
from mmkeras.distribute import cluster
from mmkeras.export._litert.convert.faults import check_converted
from mmkeras.export._litert.convert.int8 import check_representative, feeds_of
from mmkeras.export._litert.convert.int8 import quantize as to_int8
from mmkeras.export._litert.convert.recurrent import WAYS, check_recurrent, written_as
from mmkeras.export._litert.convert.trace import Form, in_float32, write_traced
from mmkeras.export._litert.package.describe import describe
from mmkeras.export._litert.package.metadata import associated_files, pack
from mmkeras.export._litert.verify.check import described
from mmkeras.export._litert.verify.flatbuffer import signature
from mmkeras.export._litert.verify.recorded import recorded_answers
from mmkeras.export._litert.verify.report import SERVED, parity, read_once, table
from mmkeras.export.card import model_card
from mmkeras.export.fit import check_fit
from mmkeras.export.folder import check_file, new_file
from mmkeras.export.graph import portable
from mmkeras.export.process.litert import TIMEOUT, convert_files
from mmkeras.export.samples import raw_samples
from mmkeras.formats import manifest
from mmkeras.heads import Head, heads_of

# Largest difference of one example that rounding can explain, in the units of `export.distance`.
TOLERANCE = {None: 1e-4, "float16": 1e-2, "dynamic": 1e-1, "int8": 2.5e-1}
CARD = ".MODEL_CARD.md"
BESIDE = (".preprocess.json", ".parity.json", CARD, ".answers.json", f".{manifest.NAME}")


def litert(
    preprocess: keras.Model,
    model: keras.Model,
    path: str | PathLike[str],
    *,
    heads: Sequence[Head] | None = None,
    quantize: str | None = None,
    representative: Any = None,
    batch_size: int = 1,
    samples: Any = None,
    tolerance: float | None = None,
    recurrent: str = "while",
    fixed_length: bool = False,
    waveform: str = "float32",
    overwrite: bool = False,
    timeout: float = TIMEOUT,
    n_samples: int = 64,
    saved_model: str | PathLike[str] | None = None,
    name: str | None = None,
    version: str = __version__,
    evaluation: Mapping[str, Any] | None = None,
    verbose: bool = True,
) -> dict[str, Any]:
    """Exports the model as a .tflite file, and verifies that it runs without TensorFlow and gives the same answers.

    Its single signature takes the ready tensors by name, as `preprocess` gives them: token ids int32, pixels uint8,
    waveform float32, masks bool (normalisation and log-mel are inside). It returns the heads' outputs by name. Call it
    by its signature: `Interpreter(path).get_signature_runner()(**ready)`; the order of tensors by index is
    arbitrary. Calls are stateless.

    The file contains everything a device needs: metadata for viewers (`unzip` lists the packed files), and the
    description from which `mmkeras.edge.Model(path)` prepares raw values without TensorFlow. Beside it are written
    STEM.preprocess.json, this description, STEM.parity.json, the report, STEM.MODEL_CARD.md (see `model_card`),
    STEM.answers.json, a request and Python's answers to it, and STEM.SHA256SUMS, the checksums of all of these but the
    card. `mmkeras verify PATH` checks them and asks the request again.

    | quantize | weights | computes in | size |
    |---|---|---|---|
    | None | float32 | float32 | 1 |
    | "float16" | float16 | float32 | 1/2 |
    | "dynamic" | 8 bits where a constant of 1,024 numbers or more is multiplied | 8 bits, scaled call by call | 1/4 |
    | "int8" | 8 bits, as above | 8 bits: from convolutions on by ranges measured before, the rest as above | 1/4 |

    With int8, inputs, outputs and the log-mel front end remain in float32. If the answers change by more than 0.01 on
    average, or by more than `tolerance`, the part that causes it (a modality, or "fusion") falls back to "dynamic" or,
    if that is not enough, to float32, which is reported under "int8".

    A model trained in mixed precision is exported with its float32 weights and computes in float32.

    Args:
        preprocess: adapted model, raw -> ready.
        model: trained model, ready -> outputs by head name.
        path: of the file, NAME.tflite; `~` is the home folder.
        heads: list of heads; None for those that `model` was built with.
        quantize: None, "float16", "dynamic" or "int8".
        representative: for quantize="int8", training examples to measure ranges on: raw ones (a data set, or dict of
            arrays by name), or batches of ready ones. Up to 200 evenly spaced examples are used; of a data set
            without random access the first ones, so shuffle it.
        batch_size: B, fixed in the file.
        samples: raw examples to compare the answers on, as in `export.saved_model`, and one without its optional
            modalities. With labels (a data set of `mm.data`), the metrics of the heads are compared as well. If None,
            two examples are generated, which tests the graph but not your data.
        tolerance: largest allowed difference of one example, as in `export.saved_model`. None is 1e-4 for float32, 0.01
            for float16, 0.1 for dynamic, 0.25 for int8. Over all samples, the mean difference may be at most a quarter
            of it, and a quarter of that of a constant answer; classes may change only in near ties, or in 2 % of the
            samples (`export.distance`). A larger tolerance relaxes all of these limits.
        recurrent: "while", the builtin loop: exact for every mask and length; with 8 bits its weights are int8, too.
            "unroll", every step as ops of its own, at most 64, with `fixed_length`: for int8, which then computes the
            steps in 8 bits by measured ranges, too, for hardware that has no loops; a larger file.
        fixed_length: texts have exactly `max_tokens` ids, padded as `preprocess` gives them; otherwise any number of
            them, at most `max_tokens`.
        waveform: "float32" in [-1, 1], or "int16", which is what sound hardware gives.
        overwrite: whether to replace an existing file.
        timeout: time limit in seconds, for the conversion and for the verification each.
        n_samples: number of `samples` to use, from the first on; the whole test set gives the accuracy of the file.
        saved_model: path of a version written by `export.saved_model`, which is compared as well.
        name: name of the model in the metadata; None is the stem of `path`.
        version: version of the model in the metadata, any string.
        evaluation: as in `export.saved_model`, for the model card.
        verbose: whether to print progress and results.

    Returns:
        Dict, the report: "path", "name", "version", "quantize", "batch_size", "bytes", "samples", "tolerance",
        "max_difference" by head (units as of `tolerance`); "mean_difference", "relative_difference" (to that of a
        constant answer) and "agreement" (of classes) by "litert" or "saved_model", and head; "metrics" likewise and for
        "keras", too, of examples with labels, as in `evaluate.report`; "latency_ms" of "litert" and of Keras'
        "predict_on_batch" on a padded batch, and "latency_ratio" of the two; "edge", how far the ready tensors of
        `mmkeras.edge` are from those of `preprocess`, and what it cannot prepare (it warns, too); "ops" with their
        counts, "inputs" and "outputs" with shapes and dtypes, "seconds" by step; "saved_model", where asked for;
        "int8", where asked for: what became of the "parts", each "fallback" with its reason, "mean_change" and
        "largest_change" of the answers on the representative "examples".

    Raises:
        ValueError: preprocess, model and heads do not fit together, a layer needs ops that are not builtin, a shape is
            unknown, or answers differ.
        FileExistsError: the file exists.
        RuntimeError: the converter crashed (in its own process), or the file does not run without TensorFlow.
        TimeoutError: a step took longer than `timeout`.
            After an error, no files are left behind.
    """
    path, saved_model = Path(path).expanduser(), saved_model and Path(saved_model).expanduser()
    check_file(path, ".tflite", overwrite, BESIDE)
    _check_arguments(quantize, recurrent, waveform, batch_size=batch_size, n_samples=n_samples)
    if saved_model and not saved_model.joinpath("saved_model.pb").is_file():
        raise ValueError(
            f"saved_model must be a version that export.saved_model wrote, NAME/VERSION. Received: '{saved_model}', "
            "which holds no saved_model.pb. Export it first, or leave saved_model= out."
        )
    heads = heads_of(model, heads)
    model = without_auxiliary(model, heads)
    check_fit(preprocess, model, heads)
    if not cluster().is_chief:  # only the chief of several workers writes
        return None
    form = Form.of(preprocess, model, batch_size, fixed_length or recurrent == "unroll", waveform)
    check_recurrent(recurrent, model, form)
    if quantize == "int8":
        check_representative(representative, preprocess, model)
    examples, labels = read_once(samples, preprocess, heads, n_samples)
    raw = raw_samples(preprocess, examples, n_samples)
    tolerance = TOLERANCE[quantize] if tolerance is None else tolerance
    console = Console(quiet=not verbose)
    about = {"path": str(path), "name": name or path.stem, "version": str(version), "quantize": quantize}
    with new_file(path, ".tflite", overwrite, BESIDE) as unfinished, in_float32(model) as mixed:
        seconds = _write(model, unfinished, quantize, recurrent, form, timeout, console)
        if quantize == "int8":
            started, inputs = time.perf_counter(), signature(unfinished)["inputs"]
            feeds = feeds_of(representative, preprocess, model, form, inputs)
            about["int8"] = to_int8(unfinished, feeds, heads, tolerance, recurrent == "unroll", timeout, console)
            seconds["quantize"] = round(time.perf_counter() - started, 1)
        description = describe(preprocess, heads)
        pack(unfinished, about["name"], about["version"], description)
        details = described(unfinished, model, form)
        started = time.perf_counter()
        # Run Keras on the CPU, like the file: GPUs may multiply with less than float32 precision.
        with console.status("Asking the file in a process without TensorFlow"), tf.device("CPU:0"), portable(model):
            allowed = {"tolerance": tolerance, "half": quantize == "float16"}
            served = saved_model and (saved_model, SERVED["mixed" if mixed else "float32"])
            found, answers = parity(unfinished, preprocess, model, heads, description, raw, form, details["inputs"],
                                    allowed, timeout, labels, served)  # fmt: skip
            recorded = recorded_answers(model, heads, description, raw, answers, **allowed)
        seconds["check"] = round(time.perf_counter() - started, 1)
        report = about | {"batch_size": batch_size, "bytes": unfinished.stat().st_size}
        report |= {"samples": f"{len(next(iter(raw.values())))} {'made up' if samples is None else 'given'}"}
        report |= {"tolerance": tolerance, **found, **details, "seconds": seconds}
        card = model_card(model, heads, name=about["name"], report=evaluation, export=report)
        texts = associated_files(description)["preprocess.json"], json.dumps(report, indent=1, allow_nan=False), card
        files = [unfinished.with_name(path.stem + ending) for ending in BESIDE]
        for file, text in zip(files, (*texts, json.dumps(recorded)), strict=False):
            file.write_text(text + "\n", encoding="utf-8")
        sealed = [unfinished, *(file for file in files[:-1] if not file.name.endswith(CARD))]
        manifest.write(files[-1], sealed, root=unfinished.parent)
    console.print(table(report))
    console.print(_summary(report), highlight=False, soft_wrap=True)
    if missing := description["unprepared"]:
        console.print(f"No tokenizer or layer in mmkeras.edge makes {missing}: give these ready tensors to `predict`.")
    return report


def _check_arguments(quantize, recurrent, waveform, **counts):
    if quantize not in TOLERANCE:
        raise ValueError(f"quantize must be one of {list(TOLERANCE)}. Received: {quantize!r}.")
    if recurrent not in WAYS:
        raise ValueError(f"recurrent must be one of {list(WAYS)}. Received: {recurrent!r}.")
    if waveform not in ("float32", "int16"):
        raise ValueError(f'waveform must be "float32" or "int16". Received: {waveform!r}.')
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0. Received: {value!r}.")


def _write(model, path, quantize, recurrent, form, timeout, console):
    """Traces and converts the model, to float32 first if it will become int8; returns the seconds of both steps."""
    saved = path.with_name("saved_model")
    started = time.perf_counter()
    with console.status("Tracing the model for LiteRT"), written_as(recurrent, model):
        specs = write_traced(model, saved, form)
    traced, quantize = time.perf_counter(), None if quantize == "int8" else quantize
    with console.status(f"Converting to LiteRT in a process of its own (at most {timeout:g} s)"):
        (answer,) = convert_files([{"saved_model": saved, "path": path, "quantize": quantize}], timeout)
    check_converted(answer, model, {name: spec.shape.as_list() for name, spec in specs.items()})
    return {"trace": round(traced - started, 1), "convert": round(time.perf_counter() - traced, 1)}


def _summary(report):
    kind = report["quantize"] or "float32"
    seconds = ", ".join(f"{step} {time:g} s" for step, time in report["seconds"].items())
    return (
        f"{report['path']}: {report['bytes'] / 1024:,.0f} KiB, {kind}; largest difference from Keras "
        f"{max(report['max_difference'].values()):.2g} on {report['samples']} samples; "
        f"{report['latency_ms']['litert']:.3g} ms a call, {report['latency_ratio']:.2g} of predict_on_batch ({seconds})"
    )
