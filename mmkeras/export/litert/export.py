"""Ready tensors in, the heads' outputs out: the .tflite file for phones, boards and browsers."""

import time
from pathlib import Path

import tensorflow as tf
from rich.console import Console

from mmkeras.export.fit import check_fit
from mmkeras.export.folder import check_file, new_file
from mmkeras.export.litert.check import batches, described, differences
from mmkeras.export.litert.faults import check_converted
from mmkeras.export.litert.process import TIMEOUT, convert_files
from mmkeras.export.litert.trace import Form, in_float32, write_traced
from mmkeras.export.samples import raw_samples

# Largest difference that rounding explains, of probabilities, or of values relative to the largest one above 1.
TOLERANCE = {None: 1e-4, "float16": 1e-2, "dynamic": 1e-1}


def litert(preprocess, model, heads, path, quantize=None, representative=None, batch_size=1, samples=None,
           tolerance=None, lstm="while", fixed_length=False, waveform="float32", overwrite=False,
           timeout=TIMEOUT, verbose=True):  # fmt: skip
    """Writes the model as a .tflite file, after it has proved to run without TensorFlow and to answer as Python does.

    Its only signature takes the ready tensors by name, as `preprocess` gives them: token ids int32, pixels uint8,
    waveform float32, masks bool (normalisation and log-mel are inside). It gives the heads' outputs by name. Call it
    through the signature: `Interpreter(path).get_signature_runner()(**ready)`; the order of tensors by index is
    arbitrary. No state survives a call.

    | quantize | weights | computes in | size |
    |---|---|---|---|
    | None | float32 | float32 | 1 |
    | "float16" | float16 | float32 | 1/2 |
    | "dynamic" | 8 bits where a constant of 1,024 numbers or more is multiplied | 8 bits, scaled call by call | 1/4 |

    A model trained in mixed precision is exported with its float32 weights, computing in float32.

    Args:
        preprocess: adapted model, raw -> ready.
        model: trained model, ready -> outputs by head name.
        heads: the heads `model` was built with.
        path: of the file, NAME.tflite.
        quantize: None, "float16" or "dynamic".
        representative: raw examples to calibrate quantize="int8" with.
        batch_size: B, which is fixed in the file.
        samples: raw examples to compare on, as in `saved_model`; the first 8, and one without anything optional. None
            makes up two, which exercises the graph, not your data: give real ones.
        tolerance: largest difference from Python allowed, relative to numbers above 1; None is 1e-4 for float32, 0.01
            for float16, 0.1 for dynamic.
        lstm: "while", the builtin loop: exact for every mask and length.
        fixed_length: texts have exactly `max_tokens` ids, padded as `preprocess` gives them; otherwise any number of
            them, at most `max_tokens`.
        waveform: "float32" in [-1, 1], or "int16", which is what sound hardware gives.
        overwrite: replace a file that is there.
        timeout: seconds that the conversion, and then the check, may take.
        verbose: say what is going on, and the result.

    Returns:
        Dict, the report: "path", "quantize", "batch_size", "bytes", "samples", "tolerance", "max_difference" by output,
        "ops" with their counts, "inputs" and "outputs" with shapes and dtypes, "seconds" by step.

    Raises:
        ValueError: the three do not fit together, a layer has no builtin op, a shape is not known, or answers differ.
        FileExistsError: the file is there.
        RuntimeError: the converter crashed (in a process of its own), or the file does not run without TensorFlow.
        TimeoutError: a step took longer than `timeout`.
            Whatever is raised, nothing is left behind.
    """
    path = Path(path)
    check_file(path, ".tflite", overwrite)
    _check_arguments(quantize, representative, batch_size, lstm, waveform)
    check_fit(preprocess, model, heads)
    raw = raw_samples(preprocess, samples)
    tolerance = TOLERANCE[quantize] if tolerance is None else tolerance
    form = Form.of(preprocess, model, batch_size, fixed_length, waveform)
    console = Console(quiet=not verbose)
    with new_file(path, ".tflite", overwrite) as unfinished, in_float32(model):
        seconds = _write(model, unfinished, quantize, form, timeout, console)
        said = described(unfinished, model, form)
        started = time.perf_counter()
        # On the CPU, where the file runs; a GPU multiplies in less than float32.
        with console.status("Asking the file in a process without TensorFlow"), tf.device("CPU:0"):
            feeds = batches(preprocess, raw, form, said["inputs"])
            largest = differences(unfinished, model, feeds, form, tolerance, timeout)
        seconds["check"] = round(time.perf_counter() - started, 1)
        size = unfinished.stat().st_size
    report = {"path": str(path), "quantize": quantize, "batch_size": batch_size, "bytes": size}
    report |= {"samples": f"{len(next(iter(raw.values())))} {'made up' if samples is None else 'given'}"}
    report |= {"tolerance": tolerance, "max_difference": largest, **said, "seconds": seconds}
    console.print(_summary(report), highlight=False, soft_wrap=True)
    return report


def _check_arguments(quantize, representative, batch_size, lstm, waveform):
    if quantize == "int8":
        if representative is None:
            raise ValueError(
                "int8 needs examples to measure the range of every tensor. Received: representative=None. Give raw "
                "examples of the training part, representative=raw."
            )
        raise NotImplementedError('int8 is not written yet. Received: quantize="int8". Give quantize="dynamic".')
    if quantize not in TOLERANCE:
        raise ValueError(f"quantize must be one of {[*TOLERANCE, 'int8']}. Received: {quantize!r}.")
    if lstm != "while":
        raise ValueError(f'lstm must be "while". Received: {lstm!r}.')
    if waveform not in ("float32", "int16"):
        raise ValueError(f'waveform must be "float32" or "int16". Received: {waveform!r}.')
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number above 0. Received: {batch_size!r}.")


def _write(model, path, quantize, form, timeout, console):
    """Traces and converts; returns the seconds of both."""
    saved = path.with_name("saved_model")
    started = time.perf_counter()
    with console.status("Tracing the model for LiteRT"):
        specs = write_traced(model, saved, form)
    traced = time.perf_counter()
    with console.status(f"Converting to LiteRT in a process of its own (at most {timeout:g} s)"):
        (answer,) = convert_files([{"saved_model": saved, "path": path, "quantize": quantize}], timeout)
    check_converted(answer, model, {name: spec.shape.as_list() for name, spec in specs.items()})
    return {"trace": round(traced - started, 1), "convert": round(time.perf_counter() - traced, 1)}


def _summary(report):
    kind = report["quantize"] or "float32"
    seconds = ", ".join(f"{step} {time:g} s" for step, time in report["seconds"].items())
    return (
        f"{report['path']}: {report['bytes'] / 1024:,.0f} KiB, {kind}; largest difference from Keras "
        f"{max(report['max_difference'].values()):.2g} on {report['samples']} samples ({seconds})"
    )
