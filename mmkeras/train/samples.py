import csv
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from rich.console import Console
from rich.table import Table

from mmkeras.heads import Head, heads_of


class SampleAnswers(keras.callbacks.Callback):
    """Shows, while training, what the model answers to a few examples, beside the right texts.

    Losses and error rates do not tell whether a model repeats itself, stops early or spells badly; a glance at some
    answers does. For heads whose answers are texts.

    Args:
        batches: labelled batches, as `eval_batches` makes them; the first examples of the first batch are shown.
        heads: list of heads; None for those of the model.
        count: how many examples.
        every: epochs from one look to the next; the last epoch of `fit` is always shown.
        path: a CSV file that the answers are added to (epoch, head, example, expected, received); None: printed only.
        verbose: whether they are printed.

    Raises:
        ValueError: from `fit`, where no head answers with a text.

    Example:

    >>> from mmkeras.train import SampleAnswers
    >>> SampleAnswers(batches=None, count=2).count
    2
    """

    def __init__(
        self,
        batches: Any,
        heads: Sequence[Head] | None = None,
        *,
        count: int = 4,
        every: int = 1,
        path: str | PathLike[str] | None = None,
        verbose: bool = True,
    ) -> None:
        super().__init__()
        self.batches, self.heads, self.count, self.every = batches, heads, count, every
        self.path, self.verbose = path and Path(path).expanduser(), verbose

    def on_train_begin(self, logs=None):
        self._texts = text_heads(self, self.model, self.heads)
        inputs, labels = next(iter(self.batches))[:2]
        self._inputs = {name: ops.convert_to_tensor(inputs[name][: self.count]) for name in self.model.input}
        self._expected = {head.name: head.texts(labels[head.name][: self.count]) for head in self._texts}

    def on_epoch_end(self, epoch, logs=None):
        last = self.params and epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every == 0 or last:
            outputs = self.model(self._inputs, training=False)
            rows = [row for head in self._texts for row in self._rows(epoch, head, outputs[head.name])]
            self._print(rows)
            self._log(rows)

    def _rows(self, epoch, head, outputs):
        answers = [text.decode() for text in np.asarray(head.decode(outputs)[head.name])]
        pairs = zip(self._expected[head.name], answers, strict=True)
        return [(epoch + 1, head.name, i, *pair) for i, pair in enumerate(pairs)]

    def _print(self, rows):
        table = Table("head", "right", "answered", title=f"epoch {rows[0][0]}")
        for _, head, _, expected, answer in rows:
            table.add_row(head, expected, answer)
        Console(quiet=not self.verbose, markup=False).print(table)

    def _log(self, rows):
        if self.path:
            new = not self.path.exists()
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                names = [("epoch", "head", "example", "expected", "received")] if new else []
                csv.writer(file, lineterminator="\n").writerows([*names, *rows])


def text_heads(callback, model, heads):
    """The heads whose answers are texts; None for those of the model.

    Raises:
        ValueError: there are none.
    """
    found = heads_of(model, heads)
    texts = [head for head in found if head.needs_targets]
    if not texts:
        raise ValueError(
            f"{type(callback).__name__} needs a head whose answers are texts. Received: heads of the kinds "
            f"{[head.kind for head in found]}. Leave it out, or give such a head."
        )
    return texts
