"""How a transcription is scored, and shown text by text."""

import numpy as np

from mmkeras.evaluate.text_scores import Texts
from mmkeras.evaluate.text_tables import write_texts
from mmkeras.heads.units import UNKNOWN

MAIN, LOWER = "wer", True
_AT_ONCE = 256


def columns(found):
    """Heading of a column of the table -> key of the score."""
    return {"word error rate": "wer", "character error rate": "cer", "exact": "exact"}


def scores(head, labels, outputs, weights):
    """Errors per word (`wer`) and per character (`cer`) of the right texts, and the share of `exact` ones.

    Each has a 95 % interval, `wer_interval` and so on, the percentiles of 1,000 bootstrap draws of the examples.
    `unknown` counts units of the labels that the vocabulary does not hold: no answer matches them, and each counts as
    one character. `empty` counts right texts without any unit.
    """
    found = Texts(_answers(head, outputs), head.references(labels), weights)
    numbers = {"unknown": int(np.sum(np.asarray(labels) == UNKNOWN)), "empty": found.expected.count("")}
    return {"kind": head.kind, "examples": len(labels), **found.scores(), **numbers}


def drawn(head, labels, outputs):
    """Function of (rows, weights) -> the scores of these examples; texts are decoded and aligned once."""
    return Texts(_answers(head, outputs), head.references(labels)).drawn()


def each(head, labels, outputs):
    """The word error rate of each example, as `scores` of it alone gives it."""
    wrong, words = Texts(_answers(head, outputs), head.references(labels)).counts(str.split).T
    return np.divide(wrong, words, out=np.where(wrong > 0, np.inf, 0.0), where=words > 0)


def rows(head, labels, outputs):
    """Columns of `evaluate.errors`, by name; the confidence is the probability of the path that was answered."""
    score = [np.asarray(head.ids(part)[1]) for part in _parts(outputs)]
    return {"truth": head.references(labels), "answer": _answers(head, outputs),
            "confidence": np.exp(np.concatenate(score)), "likely_wrong": False}  # fmt: skip


def _parts(outputs):
    return [np.asarray(outputs[i : i + _AT_ONCE], "float32") for i in range(0, len(outputs), _AT_ONCE)]


def _answers(head, outputs):
    return [text.decode() for part in _parts(outputs) for text in np.asarray(head.decode(part)[head.name])]


def draw(head, labels, outputs, found, out_dir, weights=None):
    """Writes NAME_texts.csv and NAME_worst.txt, see `write_texts`; returns the names of the files."""
    return write_texts(head, labels, _answers(head, outputs), out_dir)
