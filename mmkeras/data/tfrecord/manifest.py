"""The manifest of a set of TFRecord shards: a JSON file that describes them, and checks against it."""

import fnmatch
import hashlib
import json
import re
from pathlib import Path

from mmkeras.checks import did_you_mean

_NUMBERED = re.compile(r"\d{5}-of-\d{5}")
_ENDS = 2**16
_KEYS = {"examples": int, "compression": str | None, "content": str, "raw": dict, "labels": dict, "shards": list,
         "skipped": list, "digest": str}  # fmt: skip
_SHARD_KEYS = {"file": str, "examples": int, "bytes": int, "ends": str}


def check_pattern(pattern):
    """The pattern as a `Path`; raises ValueError unless its last part contains exactly one "*"."""
    pattern = Path(pattern).expanduser()
    if pattern.name.count("*") != 1 or "*" in str(pattern.parent):
        raise ValueError(
            "pattern must hold one * in the file's name, which stands for the number of the shard. "
            f"Received: {str(pattern)!r}. Write for example 'train-*.tfrecord'."
        )
    return pattern


def shard_paths(pattern, shards):
    """Names of the files: out/train-00000-of-00008.tfrecord, ... for out/train-*.tfrecord."""
    return [pattern.with_name(pattern.name.replace("*", f"{i:05d}-of-{shards:05d}")) for i in range(shards)]


def manifest_path(pattern):
    """out/train-manifest.json for out/train-*.tfrecord."""
    return pattern.with_name(pattern.stem.replace("*", "manifest") + ".json")


def files_of(pattern):
    """Existing shards, of any set with this pattern, and their manifest."""
    before, after = pattern.name.split("*")
    named = [path for path in pattern.parent.glob("*") if fnmatch.fnmatchcase(path.name, _literal(before, after))]
    numbered = [path for path in named if _NUMBERED.fullmatch(path.name[len(before) : len(path.name) - len(after)])]
    return sorted(numbered) + [path for path in [manifest_path(pattern)] if path.exists()]


def _literal(before, after):
    return "*".join(re.sub(r"([\[?])", r"[\1]", part) for part in (before, after))


def describe_columns(specs, heads):
    """Meaning of the shards' features by name, which a reader must agree with."""
    raw = {name: {"kind": spec.kind, "shape": list(shape), "dtype": dtype}
           for spec in specs for name, (shape, dtype) in spec.raw.items()}  # fmt: skip
    return {"raw": raw, "labels": {head.name: _label(head) for head in heads}}


def _label(head):
    shape, dtype = head.label
    return {"kind": head.kind, "shape": list(shape), "dtype": dtype, "classes": list(head.classes)}


def describe_file(path, examples):
    """Name, size and a digest of both ends of a shard; the checksums of its records protect the rest."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        ends = file.read(_ENDS)
        file.seek(max(0, size - _ENDS))
        ends += file.read(_ENDS)
    return {"file": path.name, "examples": examples, "bytes": size, "ends": hashlib.sha256(ends).hexdigest()}


def read_manifest(pattern):
    """The manifest of the set of this pattern.

    Raises:
        ValueError: there is none, or it is of another kind.
    """
    path = manifest_path(pattern)
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if description["format"] != "mmkeras.tfrecord/1":
            raise ValueError(f"format {description['format']!r}")
        _check_parts(description)
    except (OSError, KeyError, TypeError, ValueError) as error:
        there = [file.name for file in files_of(pattern)]
        raise ValueError(
            f"Shards are read by the manifest that write_tfrecord puts beside them when they are complete: '{path}'. "
            f"Received: {type(error).__name__}: {error}; beside it lie {there[:5] or 'no shards'}. Copy it too, or "
            "write the set again; read shards of other programs with tf.data.TFRecordDataset."
        ) from error
    return description


def digest(description):
    """Digest of a manifest without its digest field."""
    return hashlib.sha256(json.dumps(description).encode()).hexdigest()


def _check_parts(description):
    _check_keys("the manifest", description, _KEYS)
    for shard in description["shards"]:
        _check_keys("each shard of it", shard, _SHARD_KEYS)
    if description["digest"] != digest({key: value for key, value in description.items() if key != "digest"}):
        raise ValueError("it does not agree with its own digest, so it was changed or damaged")


def _check_keys(what, description, kinds):
    if not isinstance(description, dict):
        raise TypeError(f"{what} must be an object, not {type(description).__name__}")
    for key, kind in kinds.items():
        if key not in description:
            raise KeyError(f"{what} lacks {key!r}")
        if not isinstance(description[key], kind):
            raise TypeError(
                f"{key!r} of {what} must be {getattr(kind, '__name__', kind)}, not {description[key]!r:.60}"
            )


def check_files(pattern, description):
    """Raises ValueError naming every shard that is missing, has another size or content, or is of another set."""
    faults = [fault for shard in description["shards"] if (fault := file_fault(pattern.parent / shard["file"], shard))]
    known = {shard["file"] for shard in description["shards"]} | {manifest_path(pattern).name}
    faults += [f"{path.name}: expected no such shard" for path in files_of(pattern) if path.name not in known]
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults[:20])
        raise ValueError(
            f"{len(faults)} shard(s) in '{pattern.parent}' do not match what was written:\n{listed}\n"
            "Copy the whole set again, or write it again with overwrite=True."
        )


def file_fault(path, expected):
    """What is wrong with a file compared with its `describe_file`; None if nothing is."""
    if not path.is_file():
        return f"{path.name}: expected {expected['bytes']} bytes, received no such file"
    received = describe_file(path, expected["examples"])
    if received["bytes"] != expected["bytes"]:
        return f"{path.name}: expected {expected['bytes']} bytes, received {received['bytes']}"
    if received["ends"] != expected["ends"]:
        return f"{path.name}: expected {expected['ends'][:12]} as digest of its ends, received {received['ends'][:12]}"
    return None


def check_columns(pattern, description, specs, heads):
    """Raises ValueError if specs or heads need something else than what was written."""
    wanted = describe_columns(specs, heads)
    faults = []
    for role in ("raw", "labels"):
        for name, expected in wanted[role].items():
            written = description[role].get(name)
            if written is None:
                near = did_you_mean(name, description[role])
                faults.append(f"'{name}': written are {list(description[role])}. {near}".rstrip())
            elif written != expected:
                parts = [part for part in {**written, **expected} if written.get(part) != expected.get(part)]
                faults += [f"'{name}', {part}: written {written.get(part)}, received {expected.get(part)}"
                           for part in parts]  # fmt: skip
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise ValueError(
            f"'{pattern}' was written with other specs or heads:\n{listed}\n"
            "Read it with the same specs and heads (classes in the same order), or write it again."
        )
