"""The kinds of heads, and the modules that score and draw them.

A module of a kind has `scores(head, labels, outputs, weights)`, `draw(head, labels, outputs, found, out_dir, weights)`,
`columns(found)`, headings of the table and keys of scores, and `MAIN`, the key of its main score.

It may have as well: `LOWER = True`, where a lower main score is a better one; `each(head, labels, outputs)`, the main
score of each example by itself (n,), by default from `scores` of one at a time; `drawn(head, labels, outputs)`, a
function of (rows, weights) -> the scores of these rows, for the bootstrap where `scores` is slow; `rows(head, labels,
outputs)`, the columns truth, answer, confidence and likely_wrong of `errors`; and `details(head, labels, outputs,
weights, out_dir, valid)`, a further part of `full_report`: a dict for JSON and names of pictures, `valid` being labels
and outputs of validation examples, or None.
"""

import numpy as np

from mmkeras.checks import did_you_mean
from mmkeras.evaluate import classification, generation, regression, transcription

KINDS = {"classification": classification, "regression": regression, "transcription": transcription,
         "generation": generation}  # fmt: skip


def kind_of(name):
    """The module of a kind; ValueError where there is none."""
    if name not in KINDS:
        raise ValueError(
            f"Each kind of head needs a module in mmkeras.evaluate.KINDS. Received: {name!r}. "
            f"{did_you_mean(name, KINDS)} Known: {list(KINDS)}. Add KINDS[{name!r}] = a module like "
            "mmkeras.evaluate.regression."
        )
    return KINDS[name]


def lower_is_better(head):
    """Whether the main score of a head is an error."""
    return bool(getattr(kind_of(head.kind), "LOWER", False))


def per_example(head, labels, outputs):
    """The main score of each example, (n,) float; its mean is, or is near, that of all."""
    kind, labels, outputs = kind_of(head.kind), np.asarray(labels), np.asarray(outputs)
    if hasattr(kind, "each"):
        return np.asarray(kind.each(head, labels, outputs), "float64")
    rows = range(len(labels))
    return np.array([kind.scores(head, labels[i : i + 1], outputs[i : i + 1], None)[kind.MAIN] for i in rows])


def main_score(head, labels, outputs, weights=None):
    """The main score of all examples."""
    kind = kind_of(head.kind)
    return float(kind.scores(head, np.asarray(labels), np.asarray(outputs, "float64"), weights)[kind.MAIN])
