"""Raw examples in TFRecord shards, written once and read in parallel by several workers."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
from rich.progress import track

from mmkeras.checks import check_list
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.contract.raw_examples import RawExamples, has_weights
from mmkeras.data import faults
from mmkeras.data.batches.pipeline import encoded_batches
from mmkeras.data.modalities import kind_of
from mmkeras.data.tfrecord import manifest
from mmkeras.data.tfrecord.shards import Shards
from mmkeras.preprocess import preprocessor
from mmkeras.specs import Spec, check_specs

if TYPE_CHECKING:
    from mmkeras.heads import Head

_AT_ONCE = 64
_MOST_SHARDS = 512


def write_tfrecord(
    raw: tf.data.Dataset,
    specs: Sequence[Spec],
    heads: Sequence["Head"],
    pattern: str | PathLike[str],
    *,
    shards: int = 1,
    compression: str | None = None,
    on_error: str | None = None,
    overwrite: bool = False,
    verbose: bool = True,
) -> list[Any]:
    """Writes raw examples (files' bytes, texts, numbers, encoded labels, weights) into TFRecord shards, in one pass.

    Example i is record i // shards of shard i % shards: every shard is a representative sample, and the order can be
    restored. Each record is a `tf.train.Example`. Every file is decoded once as a check. Shards are renamed when all of
    them are complete, and the manifest is written last; memory use does not grow with the data. Of a video that `clips`
    converts, the records hold the frames that its spec uses.

    Args:
        raw: `Examples`, or any finite `tf.data.Dataset` of raw examples.
        specs: list of specs; only their raw values are written.
        heads: list of heads that the labels were encoded with; may be empty.
        pattern: path with one "*" in the file's name: "out/train-*.tfrecord" becomes
            "out/train-00000-of-00008.tfrecord", ... and "out/train-manifest.json".
        shards: number of files; at least the number of workers, with 100 MB or more each.
        compression: None or "GZIP" (for texts and WAV; useless for JPEG and PNG).
        on_error: "raise" or "skip", for files that cannot be decoded; None takes that of `raw`.
        overwrite: whether to replace existing shards of this pattern.
        verbose: whether to show a progress bar and what was skipped.

    Returns:
        List of faults: the examples that were skipped.

    Raises:
        ValueError: shards of this pattern exist; there are fewer examples than shards; names or dtypes of the raw
            examples differ from specs and heads; or a file is broken (the message has row, modality and cause).
    """
    check_specs(specs)
    check_list("heads", heads)
    pattern = _check_settings(pattern, shards, compression, overwrite)
    weighted = has_weights(raw, [name for spec in specs for name in spec.raw], heads)
    _check_dtypes(raw, specs, heads, weighted)
    batches = encoded_batches(raw, _decoding(specs), heads, batch_size=_AT_ONCE, on_error=on_error)
    pattern.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{manifest.manifest_path(pattern).stem}.unfinished-"
    unfinished = Path(tempfile.mkdtemp(prefix=prefix, dir=pattern.parent))
    try:
        paths = manifest.shard_paths(unfinished / pattern.name, shards)
        counts, content = _write(batches, paths, compression, steps=_steps(raw), verbose=verbose)
        _check_count(sum(counts), shards, batches.skipped)
        description = {
            "format": "mmkeras.tfrecord/1",
            "examples": sum(counts),
            "compression": compression,
            "content": content,
        }
        description |= {
            "weighted": weighted,
            "missing_labels": dict(raw.missing_labels) if isinstance(raw, RawExamples) else {},
        } | manifest.describe_columns(specs, heads)
        description["shards"] = [manifest.describe_file(*pair) for pair in zip(paths, counts, strict=True)]
        description["skipped"] = [[str(part) for part in fault] for fault in batches.skipped]
        _publish(pattern, paths, description)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if verbose:
        skipped = f", {faults.report(batches.skipped)}" if batches.skipped else ""
        print(f"  {pattern}: {sum(counts)} examples in {shards} shard(s){skipped}")
    return batches.skipped


def from_tfrecord(
    pattern: str | PathLike[str],
    specs: Sequence[Spec],
    heads: Sequence["Head"] = (),
    *,
    worker: int = 0,
    workers: int = 1,
    on_error: str = "raise",
) -> Shards:
    """Reads shards that `write_tfrecord` wrote.

    Args:
        pattern: pattern that they were written with.
        specs: list of specs; a subset of those written, and with other sizes or lengths if wanted.
        heads: list of heads; a subset of those written, with the same classes in the same order.
        worker: number of this worker, below `workers`: it reads every `workers`-th shard, so there must be as many.
        workers: number of workers that share the shards.
        on_error: "raise" or "skip", for files that cannot be decoded. A damaged shard is always an error.

    Returns:
        `Shards`, a tf.data.Dataset of flat dicts in the order they were written.

    Raises:
        ValueError: shards are missing, truncated, of another set or superfluous (the message lists them all); there is
            no manifest; or specs and heads differ from those written.

    Example:

    >>> import mmkeras as mm, pandas as pd
    >>> specs = [mm.Text("review")]
    >>> raw = mm.data.from_dataframe(pd.DataFrame({"review": ["good", "bad", "fair"]}), specs)
    >>> pattern = tempfile.mkdtemp() + "/train-*.tfrecord"
    >>> mm.data.write_tfrecord(raw, specs, [], pattern, shards=2, verbose=False)
    []
    >>> [example["review"] for example in mm.data.from_tfrecord(pattern, specs).as_numpy_iterator()]
    [b'good', b'bad', b'fair']
    """
    check_specs(specs)
    check_list("heads", heads)
    faults.check_on_error(on_error)
    pattern = manifest.check_pattern(pattern)
    description = manifest.read_manifest(pattern)
    manifest.check_columns(pattern, description, specs, heads)
    manifest.check_files(pattern, description)
    _check_worker(worker, workers, len(description["shards"]))
    return Shards(
        pattern.parent, description, specs, heads, range(worker, len(description["shards"]), workers), on_error
    )


def _decoding(specs):
    """A model from raw to raw that decodes the files and discards the result."""
    files = [spec for spec in specs if kind_of(spec).paths]
    decoded = preprocessor(files) if files else None
    inputs = decoded.input if files else {}
    inputs = {name: inputs[name] if name in inputs else keras.Input(tensor.shape, dtype=tensor.dtype, name=name)
              for spec in specs for name, tensor in spec.raw.items()}  # fmt: skip
    return keras.Model(inputs, _After()(inputs, list(decoded.output.values())) if files else inputs)


class _After(keras.layers.Layer):
    """Returns its inputs after other tensors have been computed."""

    def __init__(self):
        super().__init__(dtype="float32", autocast=False)

    def call(self, inputs, others):
        with tf.control_dependencies(others):
            return {name: tf.identity(values) for name, values in inputs.items()}

    def compute_output_spec(self, inputs, others):
        return {name: keras.KerasTensor(tensor.shape, tensor.dtype) for name, tensor in inputs.items()}


def _write(batches, paths, compression, steps, verbose):
    """Distributes the examples over the shards; returns the number of each, and a digest of all of them."""
    counts, written, content = [0] * len(paths), 0, hashlib.sha256()
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(path), compression)) for path in paths]
        try:
            for batch in track(batches, "Writing shards", steps, disable=not verbose):
                columns = batch if isinstance(batch, dict) else batch[0] | batch[1]
                columns = {name: tensor.numpy() for name, tensor in columns.items()}
                for i in range(len(next(iter(columns.values())))):
                    shard = written % len(paths)
                    record = _serialized({name: values[i] for name, values in columns.items()})
                    content.update(len(record).to_bytes(8, "little") + record)
                    writers[shard].write(record)
                    counts[shard], written = counts[shard] + 1, written + 1
        except tf.errors.OpError as error:
            raise ValueError(faults.cause_of(error)) from error
    return counts, content.hexdigest()


def _serialized(example):
    return tf.train.Example(
        features=tf.train.Features(feature={name: _feature(value) for name, value in example.items()})
    ).SerializeToString(deterministic=True)


def _feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if value.dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=value.ravel()))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=value.ravel()))


def _publish(pattern, paths, description):
    text = json.dumps(description | {"digest": manifest.digest(description)}, indent=1)
    complete = paths[0].with_name("manifest.json")
    complete.write_text(text, encoding="utf-8")
    # A set without a manifest is never read, so delete the old manifest first and write the new one last.
    for old in reversed(manifest.files_of(pattern)):
        old.unlink()
    for path in paths:
        os.replace(path, pattern.with_name(path.name))
    os.replace(complete, manifest.manifest_path(pattern))


def _steps(raw):
    known = int(raw.cardinality())
    if known == tf.data.INFINITE_CARDINALITY:
        raise ValueError("write_tfrecord needs a finite data set. Received: an infinite one. Write raw.take(n).")
    return -(-known // _AT_ONCE) if known >= 0 else None


def _check_settings(pattern, shards, compression, overwrite):
    pattern = manifest.check_pattern(pattern)
    if not 1 <= shards <= _MOST_SHARDS:
        raise ValueError(
            f"shards must be from 1 to {_MOST_SHARDS}, since all are open at once. Received: shards={shards}."
        )
    if compression not in (None, "GZIP"):
        raise ValueError(f"compression must be None or 'GZIP'. Received: {compression!r}.")
    there = manifest.files_of(pattern)
    if there and not overwrite:
        names = ", ".join(f"'{path.name}'" for path in there[:3])
        raise ValueError(
            f"Existing shards are not overwritten. Received: '{pattern}', where there are {len(there)} file(s): "
            f"{names}{', ...' if len(there) > 3 else ''}. Choose another pattern, or give overwrite=True."
        )
    return pattern


def _check_dtypes(raw, specs, heads, weighted):
    expected = {name: tensor for spec in specs for name, tensor in spec.raw.items()}
    expected |= {head.name: head.label for head in heads} | ({SAMPLE_WEIGHT: ((), "float32")} if weighted else {})
    received = raw.element_spec if isinstance(raw.element_spec, dict) else {}
    for name, (shape, dtype) in expected.items():
        there = received.get(name)  # `eval_batches` reports missing names
        if there is not None and (there.dtype != dtype or not there.shape.is_compatible_with(shape)):
            raise ValueError(
                f"Raw examples must have the shapes and dtypes of specs and heads. Expected: '{name}' {dtype} {shape}. "
                f"Received: {there.dtype.name} {tuple(there.shape)}. Cast it with raw.map, or name another head."
            )


def _check_count(examples, shards, skipped):
    if examples < shards:
        left_out = f" {len(skipped)} were skipped.\n{faults.report(skipped)}" if skipped else ""
        raise ValueError(
            f"Each shard needs at least one example. Received: {examples} example(s) for shards={shards}. Use fewer "
            f"shards.{left_out}"
        )


def _check_worker(worker, workers, shards):
    if not 0 <= worker < workers <= shards:
        raise ValueError(
            f"worker counts from 0 to workers - 1, and each worker needs a shard. Received: worker={worker}, "
            f"workers={workers}, and {shards} shard(s). Write the set with more shards."
        )
