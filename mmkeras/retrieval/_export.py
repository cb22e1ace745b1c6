"""Exports an index and its towers to files that do not need this package."""

import itertools
import math
import time
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from mmkeras import export, heads
from mmkeras.checks import check
from mmkeras.contract import NamedModel
from mmkeras.export import record
from mmkeras.export._saved_model import serving
from mmkeras.export.folder import check_version, new_version, next_version
from mmkeras.export.graph import checked, holder, portable
from mmkeras.export.ops import check_ops, used_ops
from mmkeras.export.process.saved_model import run_fresh
from mmkeras.export.samples import optional_names, raw_samples
from mmkeras.models import DualEncoder
from mmkeras.preprocess import Preprocess
from mmkeras.retrieval._index import Index
from mmkeras.retrieval._search import search


def saved_model(
    index: Index,
    path: str | PathLike[str],
    *,
    k: int = 10,
    samples: Any = None,
    tolerance: float = 1e-5,
    version: str | None = None,
) -> dict[str, Any]:
    """Writes the index as one SavedModel: a raw query in, identifiers and scores out.

    | signature | takes | gives |
    |---|---|---|
    | `A_to_B`, for each two modalities | raw values (B,) of A | `identifiers` (B, k) string, `scores` (B, k) float32 |
    | `serving_default` | as the first of these | the same |
    | `embed_A` | raw values (B,) of A | `embedding` (B, D) float32 |

    Embeddings and identifiers lie in its variables, and the search is in the graph. Before the folder gets its name, a
    fresh process that cannot import mmkeras asks every signature, and must answer as Python does.

    Args:
        index: `Index`, not empty.
        path: `saved_models/NAME/VERSION`, a positive integer that is not there yet; `~` is the home folder.
        k: how many are found; all where there are fewer.
        samples: raw examples to compare on, as in `export.saved_model`.
        tolerance: largest difference of a score.
        version: None where `path` ends in it; "next" for the next free number below `path`.

    Returns:
        Dict: "path", "signatures", "examples" (how many are in the index), "tolerance", "largest_difference" of a
        score, "seconds". All but the path and the time is in `assets.extra/parity.json`; beside it are the request,
        the signatures and the checksums of `export.saved_model`.

    Raises:
        ValueError: the index is empty, an op may not be served, or answers differ.
        FileExistsError: this version is there.
        RuntimeError: the artefact does not load or run on its own.
    """
    started, path = time.perf_counter(), Path(path).expanduser()
    path = next_version(path) if version == "next" else path
    check_version(path)
    check(len(index), "An index must hold examples to be exported.", "an empty one", "Call index.add(raw).")
    raw = raw_samples(index.preprocess, samples)
    with new_version(path) as unfinished, portable(index.model):
        functions = _signatures(index, min(k, len(index)))
        with tf.device("CPU:0"):
            runs = {name: (name, {key: raw[key] for key in spec}) for name, (_, spec) in functions.items()}
            expected = {name: _answers(function, runs[name][1]) for name, (function, _) in functions.items()}
        _write(index, functions, unfinished)
        places = used_ops(unfinished)
        check_ops(places)
        fresh = run_fresh(unfinished, places, list(runs.values()))
        check_ops(places, fresh["owners"])
        largest = max(_difference(name, got, expected[name], tolerance)
                      for name, got in zip(runs, fresh["outputs"], strict=True))  # fmt: skip
        report = {"signatures": list(functions), "examples": len(index), "tolerance": tolerance}
        report |= {"largest_difference": largest}
        first = next(iter(functions))
        _write_beside(unfinished, index.preprocess, report, runs[first][1], expected[first], fresh["signatures"])
    return {"path": str(path), **report, "seconds": round(time.perf_counter() - started, 1)}


def _write_beside(unfinished, preprocess, report, raw, answers, signatures):
    """The files of `export.saved_model`, but for its warm-up and its card; of the answers, the scores are recorded."""
    extra = unfinished / "assets.extra"
    extra.mkdir()
    raw, scores = {key: value[: record.COUNT] for key, value in raw.items()}, answers["scores"][: record.COUNT]
    signature = {"versions": serving.versions(), "signatures": signatures, "classes": {}}
    signature |= {"may_be_absent": optional_names(preprocess), "inputs": serving.described_inputs(preprocess)}
    recorded = record.of_numbers({"scores": scores}, report["tolerance"])
    serving.write_json(extra, "request.json", serving.rest_request(raw))
    serving.write_json(extra, "answers.json", recorded, indent=None)
    serving.write_json(extra, "signature.json", signature)
    serving.write_json(extra, "parity.json", report)
    serving.write_manifest(unfinished)


def _signatures(index, k):
    """Name -> (tf.function, dict of its inputs)."""
    items = {name: tf.Variable(index.vectors(name), trainable=False, name=f"{name}_vectors")
             for name in index.modalities}  # fmt: skip
    identifiers = tf.Variable(index.identifiers, trainable=False, name="identifiers")
    found = {}
    for one, other in itertools.permutations(items, 2):
        found[f"{one}_to_{other}"] = _finder(index, one, items[other], identifiers, k)
    found = {"serving_default": next(iter(found.values())), **found}
    return found | {f"embed_{name}": _embedder(index, name) for name in items}


def _embedding(index, name):
    """Function from raw values to (B, D), and the tensor specs of the raw values."""
    preprocess, tower = index.preprocess.part([name]), index.model.tower(name)
    specs = {key: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=key)
             for key, tensor in preprocess.input.items()}  # fmt: skip
    return lambda raw: tower(checked(preprocess(raw, training=False)), training=False)[name], specs


def _finder(index, name, items, identifiers, k):
    embed, specs = _embedding(index, name)

    def find(raw):
        scores, rows = search(embed(raw), items, k)
        # Examples without the modality are not found, so there can be fewer than k results; other names are empty.
        named = tf.where(rows >= 0, tf.gather(identifiers, tf.maximum(rows, 0)), "")
        return {"identifiers": named, "scores": tf.where(rows >= 0, scores, 0.0)}

    return tf.function(find, input_signature=[specs], autograph=False), specs


def _embedder(index, name):
    embed, specs = _embedding(index, name)
    return tf.function(lambda raw: {"embedding": embed(raw)}, input_signature=[specs], autograph=False), specs


def _answers(function, raw):
    return {key: each.numpy() for key, each in function({key: tf.constant(v) for key, v in raw.items()}).items()}


def _write(index, functions, path):
    signatures = {name: function.get_concrete_function() for name, (function, _) in functions.items()}
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(holder(signatures, index.preprocess, index.model), str(path), signatures, options)


def _difference(signature, received, expected, tolerance):
    """Largest difference of a score; raises ValueError if it is too large, or other items were found."""
    key = "embedding" if "embedding" in expected else "scores"
    apart = float(np.abs(received[key] - expected[key]).max())
    rule = f"The exported index must answer as Python does, within tolerance={tolerance}."
    check(apart <= tolerance, rule, f"{signature}: {key} are {apart:.2g} apart", "Give a larger tolerance=.")
    if key == "scores":
        near = np.abs(np.diff(expected[key], axis=1)) <= 2 * tolerance  # items with nearly equal scores may swap places
        tied = np.pad(near, ((0, 0), (0, 1)), constant_values=True) | np.pad(near, ((0, 0), (1, 0)))
        other = (received["identifiers"] != expected["identifiers"]) & ~tied
        check(not other.any(), rule, f"{signature}: {int(other.sum())} other items", "Is it the export of this index?")
    return apart


def litert(
    model: DualEncoder, preprocess: Preprocess, *, folder: str | PathLike[str], **arguments: Any
) -> dict[str, Any]:
    """Writes the tower of each modality as FOLDER/NAME.tflite: ready tensors in, `NAME_embedding` out.

    On a device, `mmkeras.edge.Model("NAME.tflite")` takes the raw value, and its answer is compared with stored
    embeddings by a dot product.

    Args:
        model: trained `mm.dual_encoder`.
        preprocess: adapted model, raw -> ready.
        folder: that the files are written into.
        arguments: of `export.litert`, such as `quantize`, `representative`, `samples`.

    Returns:
        Dict, modality -> report of `export.litert`.
    """
    folder, reports = Path(folder).expanduser(), {}
    for spec in model.specs:
        tower = as_regression(model, spec.name)
        path = folder / f"{spec.name}.tflite"
        reports[spec.name] = export.litert(preprocess.part([spec.name]), tower, path, **arguments)
    return reports


def as_regression(model, name):
    """The tower of a modality as a model with one regression head of K = D numbers and a deviation of 1 / sqrt(D)."""
    tower, dim = model.tower(name), int(model.output[name].shape[-1])
    head = heads.regression(f"{name}_embedding", size=dim, mean=(0.0,) * dim, std=(1 / math.sqrt(dim),) * dim)
    return NamedModel.of(tower.input, {head.name: tower.output[name]}, tower.specs, [head], name=f"{name}_tower")
