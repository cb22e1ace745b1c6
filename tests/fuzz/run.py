"""Fuzzes for a while, in a process of its own, that a crash or a hang may end: `python -m tests.fuzz.run FOLDER`.

FOLDER holds the exported model of `targets.build`. What is being tried lies in FOLDER/current; what a fault was found
with, in FOLDER/faults. The last line printed is a JSON object: counts by format and outcome, and the faults.
"""

import argparse
import collections
import contextlib
import faulthandler
import itertools
import json
import re
import time
from pathlib import Path

import numpy as np

from tests.fuzz import clips, known, pictures, sounds, tables, targets, texts
from tests.fuzz.mutation import mutate

HANG = 60  # seconds allowed for one input, plus one for each further input in the same batch
MEMORY = 10**9  # bytes of memory allowed for one input
# Formats with checksums, in which changed content cannot go unnoticed; MP3, JPEG, GIF, BMP, WAV and WebP have none.
# Reading may accept a clip that the graph refuses: it uses the directory of an archive rather than the local headers.
CHECKSUMS = ("png", "flac", "ogg", "zip")


def samples(name, rng):
    """(kind, whole file) without end."""
    made = {
        "photo": lambda: pictures.samples(rng) | pictures.webps(rng),
        "voice": lambda: sounds.samples(rng) | sounds.compressed(rng),
        "clip": lambda: clips.samples(rng),
        "note": lambda: texts.samples(rng),
        "table": lambda: tables.samples(rng),
    }
    while True:
        yield from rng.permutation(np.array(list(made[name]().items()), object)).tolist()


class Run:
    """Tries inputs, counts them, and keeps those with a fault."""

    def __init__(self, folder):
        self.current, self.kept = folder / "current", folder / "faults"
        self.current.mkdir()
        self.kept.mkdir()
        self.inputs, self.faults = 0, []
        self.counts = collections.defaultdict(collections.Counter)

    @contextlib.contextmanager
    def tried(self, kinds, contents):
        """While inputs are tried, they lie on the disk, and time and memory are measured."""
        for old in self.current.iterdir():
            old.unlink()
        paths = [self.current / f"{i:03d}.{_format(kind)}" for i, kind in enumerate(kinds)]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        faulthandler.dump_traceback_later(HANG + len(kinds) - 1, exit=True)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak memory
        before = _memory("VmRSS")
        yield paths
        faulthandler.cancel_dump_traceback_later()
        taken = _memory("VmHWM") - before
        if taken > MEMORY:
            for kind, content in zip(kinds, contents, strict=True):
                self.count(kind, content, "fault", f"{len(kinds)} input(s) took {taken >> 20} MiB")

    def count(self, kind, content, outcome, fault=None):
        exempt = fault and known.exception(kind, content, fault)
        self.counts[_format(kind)][exempt or ("fault" if fault else outcome)] += 1
        if fault and not exempt:
            path = self.kept / f"{len(self.faults):03d}.{_format(kind)}"
            path.write_bytes(content)
            self.faults.append({"kind": kind, "fault": fault[:2000], "file": str(path)})


def files(run, asked, name, made, rng):
    """Damaged files of one modality: each through graph, SavedModel and device; all of them together in reading."""
    batch = []
    for kind, whole in made:
        data = mutate(whole, rng)
        sealed = rng.random() < 0.5 and kind.startswith("png")
        batch.append((kind, whole, pictures.with_right_checksums(data) if sealed else data, sealed))
    for kind, _, data, _ in batch:
        with run.tried([kind], [data]):
            outcome, fault = asked.ask(name, data)
        run.count(kind, data, outcome, fault)
        run.inputs += 1
    kinds = [kind for kind, *_ in batch for _ in range(2)]
    with run.tried(kinds, [each for _, *contents, _ in batch for each in contents]) as paths:
        as_paths = name != "note" and rng.random() < 0.5
        found = asked.read(name, list(map(str, paths)) if as_paths else [path.read_bytes() for path in paths])
    for (kind, _, data, sealed), sound, damaged in zip(batch, found[::2], found[1::2], strict=True):
        outcome, fault = _judged(kind, data, sealed, sound, damaged, name, as_paths)
        run.count(kind, data, outcome, fault)


def _judged(kind, data, sealed, sound, damaged, name, as_paths):
    """(outcome, fault): what reading has made of a whole file and of its damaged copy."""
    guarded = kind.startswith(CHECKSUMS) and not sealed
    if guarded and not isinstance(sound, dict):
        return "skipped", f"a whole file is skipped: {sound}"
    if not isinstance(damaged, dict):
        return "skipped", None
    if not all(np.isfinite(tensor).all() for tensor in damaged.values()):
        return "read", "not everything that is read is finite"
    if (data or as_paths) and name != "note" and not damaged[f"{name}_mask"].any():
        return "read", "reading takes a file that is there for absent"
    if guarded and data and not all(np.array_equal(sound[key], damaged[key]) for key in sound):
        return "read", "reading takes damage for content"
    return "read", None


def table(run, made, rng):
    """A batch of damaged tables."""
    for kind, whole in made:
        data = mutate(whole, rng)
        with run.tried([kind], [data]) as (path,):
            outcome, fault = tables.ask(kind, path)
        run.count(kind, data, outcome, fault)
        run.inputs += 1


def _format(kind):
    return re.split("[ -]", kind)[0]


def _memory(field):
    """Bytes, by what Linux says of this process."""
    return int(re.search(rf"{field}:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) << 10


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--inputs", type=int, default=10**9, help="stop after so many")
    parser.add_argument("--batch", type=int, default=64, help="so many are read as one table, which takes 5 s at least")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    faulthandler.enable()
    rng = np.random.default_rng(arguments.seed)
    asked, run = targets.Targets(arguments.folder / "model" / "1"), Run(arguments.folder)
    made = {name: samples(name, rng) for name in ("photo", "voice", "clip", "note", "table")}
    end = time.monotonic() + arguments.seconds
    for name in itertools.cycle(made):
        if time.monotonic() > end or run.inputs >= arguments.inputs:
            break
        batch = itertools.islice(made[name], arguments.batch)
        if name == "table":
            table(run, batch, rng)
        else:
            files(run, asked, name, batch, rng)
    print(json.dumps({"inputs": run.inputs, "counts": run.counts, "faults": run.faults}))


if __name__ == "__main__":
    main()
