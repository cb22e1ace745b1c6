"""How a transcription is scored, and shown text by text."""

from pathlib import Path

import numpy as np
import pandas as pd

from mmkeras.evaluate.text_scores import Texts, alignment, errors
from mmkeras.heads.units import UNKNOWN

MAIN = "wer"
_AT_ONCE = 256
_WORST = 20


def columns(found):
    """Heading of a column of the table -> key of the score."""
    return {"word error rate": "wer", "character error rate": "cer", "exact": "exact"}


def scores(head, labels, outputs, weights):
    """Errors per word (`wer`) and per character (`cer`) of the right texts, and the share of `exact` ones.

    Each has a 95 % interval, `wer_interval` and so on, the percentiles of 1,000 bootstrap draws of the examples.
    `unknown` counts units of the labels that the vocabulary does not hold: they are U+FFFD in the right text, which no
    answer is likely to have. `empty` counts right texts without any unit.
    """
    received, expected = texts(head, labels, outputs)
    found = Texts(received, expected, weights)
    scored = {"wer": found.rate(str.split), "cer": found.rate(list), "exact": found.exact()}
    numbers = {"unknown": int(np.sum(np.asarray(labels) == UNKNOWN)), "empty": expected.count("")}
    rates = {key: rate for key, (rate, _) in scored.items()}
    return {"kind": head.kind, "examples": len(labels), **rates,
            **{f"{key}_interval": ends for key, (_, ends) in scored.items()}, **numbers}  # fmt: skip


def drawn(head, labels, outputs):
    """Function of (rows, weights) -> the scores of these examples; texts are decoded and aligned once."""
    found = Texts(*texts(head, labels, outputs))
    right = np.array([a == b for a, b in zip(found.received, found.expected, strict=True)], "float64")
    counts = {"wer": found.counts(str.split), "cer": found.counts(list), "exact": np.stack([right, right**0], -1)}

    def rates(rows, weights):
        sums = {key: (each[rows] * (1.0 if weights is None else weights[:, None])).sum(0)
                for key, each in counts.items()}  # fmt: skip
        return {key: wrong / parts if parts else float("nan") for key, (wrong, parts) in sums.items()}

    return rates


def rows(head, labels, outputs):
    """Columns of `evaluate.errors`, by name; the confidence is the probability of the path that was answered."""
    received, expected = texts(head, labels, outputs)
    score = [np.asarray(head.ids(part)[1]) for part in _parts(outputs)]
    return {"truth": expected, "answer": received, "confidence": np.exp(np.concatenate(score)), "likely_wrong": False}


def _parts(outputs):
    return [np.asarray(outputs[i : i + _AT_ONCE], "float32") for i in range(0, len(outputs), _AT_ONCE)]


def texts(head, labels, outputs):
    """The answered and the right texts, two lists, of targets and outputs."""
    received = [text.decode() for part in _parts(outputs) for text in np.asarray(head.decode(part)[head.name])]
    return received, head.texts(labels)


def draw(head, labels, outputs, found, out_dir, weights=None):
    """Writes NAME_texts.csv, a row for each example, and NAME_worst.txt, the worst ones word by word.

    Returns the names of the files.
    """
    received, expected = texts(head, labels, outputs)
    table = pd.DataFrame({"expected": expected, "received": received})
    table["words"] = [len(text.split()) for text in expected]
    table["wrong_words"] = [errors(a.split(), b.split()) for a, b in zip(received, expected, strict=True)]
    table["wrong_characters"] = [errors(a, b) for a, b in zip(received, expected, strict=True)]
    names = [f"{head.name}_texts.csv", f"{head.name}_worst.txt"]
    table.to_csv(Path(out_dir) / names[0], index_label="example")
    worst = table.sort_values("wrong_words", ascending=False, kind="stable").head(_WORST)
    lines = [_aligned(example, *row) for example, *row in worst[["received", "expected"]].itertuples()]
    (Path(out_dir) / names[1]).write_text("\n".join(lines), encoding="utf-8")
    return names


def _aligned(example, received, expected):
    """The two texts word below word; "-" stands where one has none."""
    pairs = [(a or "-", b or "-") for a, b in alignment(received.split(), expected.split())]
    widths = [max(map(len, pair)) for pair in pairs]
    lines = (
        " ".join(word.ljust(width) for word, width in zip(side, widths, strict=True))
        for side in zip(*pairs, strict=True)
    )
    titles = f"example {example}\nreceived ", "expected "
    return "".join(f"{title}{line.rstrip()}\n" for title, line in zip(titles, lines, strict=False))
