"""A table of a million rows: seconds and memory of each step, beside `pandas.read_csv` of the same file.

    python tests/benchmarks/scale.py
    python tests/benchmarks/scale.py --rows 100000 --larger 1000

Wanted: no step grows with the size of the files that the table names (the last column, with files `--larger` times as
large, is 1 within noise), and none takes a multiple of what reading the table takes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

GROUPS, SPEAKERS, FILES = 9, 5_000, 50
HEADER = ["title", "photo", "price", "city", "kind", "tags", "value", "speaker"]


def write(folder, rows, size):
    """A table of texts, paths to a few files, numbers, categories and labels; the files hold `size` bytes."""
    rng = np.random.default_rng(0)
    for i in range(FILES):
        (folder / f"{i}.png").write_bytes(b"x" * size)
    words = np.array([f"word{i}" for i in range(20_000)], object)
    texts = words[rng.zipf(1.3, (rows, 6)) % len(words)]
    columns = [
        [" ".join(text) for text in texts],
        [f"{i}.png" for i in rng.integers(0, FILES, rows)],
        (1e6 + rng.normal(size=rows)).round(4),
        words[rng.integers(0, 300, rows)],
        [f"k{i}" for i in np.minimum(rng.geometric(0.4, rows), GROUPS)],
        [f"t{i}|t{j}" for i, j in rng.integers(0, 4, (rows, 2))],
        rng.normal(size=rows).round(4),
        rng.integers(0, SPEAKERS, rows),
    ]
    pd.DataFrame(dict(zip(HEADER, columns, strict=True))).to_csv(folder / "table.csv", index=False)


class Memory:
    """Peak of the resident memory while it is open, in MB over what it was before."""

    def __enter__(self):
        self.before, self.peak, self.open = _resident(), 0.0, True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while self.open:
            self.peak = max(self.peak, _resident() - self.before)
            time.sleep(0.01)

    def __exit__(self, *failure):
        self.peak = max(self.peak, _resident() - self.before)
        self.open = False
        self.thread.join()


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def steps(folder):
    """Runs every step in this process, once; prints {step: [seconds, MB]}."""
    import mmkeras as mm
    from mmkeras.data import order

    specs = [mm.Text("title", max_tokens=8, optional=True), mm.Image("photo", size=(8, 8), optional=True),
             mm.Table("meta", numeric=["price"], categorical=["city"])]  # fmt: skip
    heads = [mm.heads.classification("kind", [f"k{i}" for i in range(1, GROUPS + 1)]),
             mm.heads.classification("tags", [f"t{i}" for i in range(4)], multi_label=True),
             mm.heads.regression("value")]  # fmt: skip
    took, path, kept = {}, folder / "table.csv", {}

    def take(name, function):
        with Memory() as memory:
            start = time.perf_counter()
            kept[name] = function()
            took[name] = [time.perf_counter() - start, memory.peak]
        return kept[name]

    take("pandas.read_csv", lambda: pd.read_csv(path, dtype=str, keep_default_na=False))
    # Warm-up: imports and first calls.
    mm.data.from_dataframe(kept.pop("pandas.read_csv").head(10), specs, heads, root=folder)
    raw = take("from_csv", lambda: mm.data.from_csv(path, specs, heads))
    part = take("split, stratified", lambda: mm.data.split(raw, (0.8, 0.1, 0.1)))[0]
    take("split, by group", lambda: mm.data.split(raw, (0.8, 0.1, 0.1), stratify=None, group="speaker"))
    take("split, both", lambda: mm.data.split(raw, (0.8, 0.1, 0.1), group="speaker"))
    learned = take("heads.adapt", lambda: mm.heads.adapt(heads, part))
    few = [specs[0], specs[2]]
    preprocess = take("adapt", lambda: mm.adapt(mm.preprocessor(few), part, verbose=False))
    batches = take("train_batches", lambda: mm.data.train_batches(part, preprocess, learned, batch_size=256))
    take("order of an epoch", lambda: sum(1 for _ in order.epochs(len(part), 256, 0)[0]))
    if "balance" in mm.data.train_batches.__code__.co_varnames:
        even = take(
            "train_batches, balanced",
            lambda: mm.data.train_batches(part, preprocess, learned, batch_size=256, balance=["kind", "tags"]),
        )
        take("first batch, balanced", lambda: next(iter(even)))
    take("an epoch of ready batches", lambda: sum(1 for _ in batches))
    print(json.dumps(took))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--larger", type=int, default=100)
    parser.add_argument("--steps", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.steps:
        return steps(options.steps)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = []
        for size in (1_000, 1_000 * options.larger):
            write(folder, options.rows, size)
            command = [sys.executable, __file__, "--steps", str(folder)]
            found.append(
                json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
            )
    show(options, *found)


def show(options, small, large):
    table = Table(title=f"{options.rows:,} rows; one process, one run")
    for column in ("", "s", "/ read_csv", "MB", "/ read_csv", f"s, files x {options.larger}", "MB"):
        table.add_column(column, justify="right" if column else "left")
    base = small["pandas.read_csv"]
    for name, (seconds, memory) in small.items():
        again = large[name]
        table.add_row(name, f"{seconds:.2f}", f"{seconds / base[0]:.2f}", f"{memory:.0f}", f"{memory / base[1]:.2f}",
                      f"{again[0]:.2f}", f"{again[1]:.0f}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
