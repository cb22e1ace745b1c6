"""How generated texts are scored, and shown text by text."""

import importlib.util
import json
from typing import Any

import numpy as np

from mmkeras.evaluate.text_scores import Texts
from mmkeras.evaluate.text_tables import write_texts
from mmkeras.heads.units import UNKNOWN

MAIN = "exact"
_DRAWS = 1000  # of the bootstrap


def columns(found):
    """Heading of a column of the table -> key of the score."""
    headings = {"exact": "exact", "BLEU": "bleu", "chrF": "chrf", "WER": "wer", "CER": "cer"}
    return {title: key for title, key in headings.items() if key in found}


def scores(head, labels, outputs, weights):
    """The scores of `text_scores`, of targets and ids.

    `unknown` counts units of the labels that the vocabulary does not hold: no answer matches them. Each counts as one
    character in `cer` and `chrf`.
    """
    found = text_scores(head.texts(outputs), head.references(labels), weights=weights)
    return {"kind": head.kind, **found, "unknown": int(np.sum(np.asarray(labels) == UNKNOWN))}


def text_scores(received: list[str], expected: list[str], *, weights: np.ndarray | None = None) -> dict[str, Any]:
    """Scores of any texts, also of those that no model made: to copy the input is a baseline of a translation.

    Args:
        received, expected: lists of n texts.
        weights: how much each counts, (n,); BLEU and chrF count all alike.

    Returns:
        Dict: `exact`, the share of equal texts; `wer` and `cer`, errors per word and per character of the right texts;
        `bleu` and `chrf` (0 to 100) of the whole corpus, where sacrebleu is installed (`pip install "mmkeras[text]"`).
        Each has a 95 % interval, `exact_interval` and so on, of 1,000 bootstrap draws of the examples.

    Example:

    >>> text_scores(["a red dot", "a box"], ["a red dot", "a bow"])["exact"]
    0.5

    Source: Papineni et al., BLEU (ACL 2002); Popovic, chrF (WMT 2015); Post, arXiv 1804.08771, for sacrebleu.
    """
    found = {"examples": len(expected), **Texts(received, expected, weights).scores()}
    for key, metric in _metrics().items():
        found[key], found[f"{key}_interval"] = _corpus(metric, received, expected)
    return found


def _metrics():
    """BLEU and chrF where sacrebleu is installed."""
    if importlib.util.find_spec("sacrebleu") is None:
        return {}
    from sacrebleu.metrics import BLEU, CHRF

    # Names and captions without blanks between words (Chinese, Japanese) have no words to count for BLEU's own rules.
    return {"bleu": _in_floats(BLEU(tokenize="intl")), "chrf": _in_floats(CHRF())}


def _in_floats(metric):
    """The metric with plain floats as scores: sacrebleu 2.6 cannot average its draws if some are of numpy 2."""
    score_of = metric._compute_score_from_stats

    def plain(stats):
        score = score_of(stats)
        score.score = float(score.score)
        return score

    metric._compute_score_from_stats = plain
    return metric


def _corpus(metric, received, expected):
    score = metric.corpus_score(received, [expected], n_bootstrap=_DRAWS if len(received) > 1 else 1)
    said = json.loads(score.format(width=4, signature=str(metric.get_signature()), is_json=True))
    middle, spread = said.get("confidence_mean", score.score), said.get("confidence_var", 0.0)
    return float(score.score), [max(middle - spread, 0.0), min(middle + spread, 100.0)]


def drawn(head, labels, outputs):
    """Function of (rows, weights) -> the scores of these examples; the texts are made once."""
    received, expected = np.array(head.texts(outputs), object), np.array(head.references(labels), object)
    rates, metrics = Texts(received, expected).drawn(), _metrics()

    def some(rows, weights):
        pair = received[rows].tolist(), [expected[rows].tolist()]
        return rates(rows, weights) | {key: float(each.corpus_score(*pair).score) for key, each in metrics.items()}

    return some


def each(head, labels, outputs):
    """1 for each example whose text is exact, else 0."""
    pairs = zip(head.texts(outputs), head.references(labels), strict=True)
    return np.array([received == expected for received, expected in pairs], "float64")


def rows(head, labels, outputs):
    """Columns of `evaluate.errors`, by name."""
    texts = {"truth": head.references(labels), "answer": head.texts(outputs)}
    return texts | {"confidence": np.nan, "likely_wrong": False}


def draw(head, labels, outputs, found, out_dir, weights=None):
    """Writes NAME_texts.csv and NAME_worst.txt, see `write_texts`; returns the names of the files."""
    return write_texts(head, labels, head.texts(outputs), out_dir)
