"""The context of the sections of a full report."""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from mmkeras.data import eval_batches
from mmkeras.evaluate._predict import predict
from mmkeras.preprocess.model import traced


@dataclasses.dataclass
class Context:
    """The model, its examples, and what has been predicted of them.

    Args:
        model, preprocess, heads, out_dir, baselines, reference: as of `full_report`.
        test, train, valid: raw examples; the last two may be None.
        options: the other arguments of `full_report`.
    """

    model: object
    preprocess: object
    heads: list
    out_dir: Path
    test: object
    train: object = None
    valid: object = None
    baselines: dict = dataclasses.field(default_factory=dict)
    reference: object = None
    options: dict = dataclasses.field(default_factory=dict)
    _made: dict = dataclasses.field(default_factory=dict)

    def batches(self, raw):
        """Ready batches with labels."""
        if id(raw) not in self._made:
            part = next(name for name in ("test", "train", "valid") if getattr(self, name) is raw)
            cache, size = self.options.get("cache"), self.options.get("batch_size", 64)
            cache = cache if cache in (None, "memory") else Path(cache) / part
            self._made[id(raw)] = eval_batches(
                raw, self.preprocess, self.heads, batch_size=size, cache=cache, verbose=False
            )
        return self._made[id(raw)]

    @functools.cached_property
    def predicted(self):
        """Labels, outputs and weights of the test examples, by head."""
        return predict(self.model, self.batches(self.test), self.heads, with_weights=True)

    def of(self, head):
        """Positions of the test examples that have a label of this head, their labels and outputs."""
        labels, outputs, weights = self.predicted
        there = np.ones(len(labels[head.name]), bool) if weights is None else weights[head.name] > 0
        return np.flatnonzero(there), labels[head.name][there], outputs[head.name][there]

    def validation(self, head):
        """Labels and outputs of the validation examples, None where none has a label."""
        if self.valid is None:
            return None
        labels, outputs, weights = self._validated
        there = np.ones(len(labels[head.name]), bool) if weights is None else weights[head.name] > 0
        return (labels[head.name][there], outputs[head.name][there]) if there.any() else None

    @functools.cached_property
    def _validated(self):
        return predict(self.model, self.batches(self.valid), self.heads, with_weights=True)

    def frame(self, positions=None):
        """The rows of the raw table of the test examples, at these positions."""
        frame = getattr(self.test, "frame", None)
        if frame is None:
            raise ValueError(
                "The rows of the raw table are needed, which only mm.data.Examples keep (from_csv, from_dataframe). "
                f"Received: {type(self.test).__name__}. Read the test part as a table."
            )
        counted = len(next(iter(self.predicted[0].values())))
        if len(frame) != counted:
            raise ValueError(
                f"Each row must have been predicted. Received: {len(frame)} rows, of which {counted} could be read. "
                "Take the others out of the table: they are listed in skipped."
            )
        return frame if positions is None else frame.iloc[positions]

    def examples(self, positions):
        """Raw and ready values of some test examples: list of (raw dict, ready dict of one row)."""
        found = []
        for row in self.test.subset(positions).batch(1):
            raw = {name: np.asarray(value) for name, value in row.items()}
            ready = traced(self.preprocess)({name: row[name] for name in self.preprocess.input})
            ready = {name: np.asarray(value) for name, value in ready.items()}
            found.append(({name: value[0] for name, value in raw.items()}, ready))
        return found


class Missing(Exception):
    """A section has nothing to show, for a reason that is not an error."""
