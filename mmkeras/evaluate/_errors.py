"""Errors worth a look: confident ones, labels that are probably wrong, and examples that occur in both parts."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from mmkeras.evaluate.kinds import kind_of, lower_is_better, per_example
from mmkeras.heads import Head


def errors(head: Head, labels: Any, outputs: Any, *, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """A table of the examples, the worst ones first.

    Args:
        head: a head.
        labels, outputs: of n examples, as `predict` gives them in the order of the table; missing labels left out.
        frame: `pandas.DataFrame` of n rows (`raw.frame`); None numbers them.

    Returns:
        `pandas.DataFrame`, indexed by the rows of `frame`: position (among the n), truth, answer, score (of the
        example: 1 or 0 of classes, an error of numbers), confidence (of the answer; NaN where there is none) and
        likely_wrong (label): True for `wrong_labels`. Wrong answers come first, most confident first; of numbers,
        the largest errors.

    Example:

    >>> from mmkeras import heads
    >>> mood = heads.classification("mood", classes=["good", "bad"])
    >>> found = errors(mood, [0, 0, 1], [[0.9, 0.1], [0.4, 0.6], [0.95, 0.05]])
    >>> found[["truth", "answer", "score"]].values.tolist()[0]
    ['bad', 'good', 0.0]
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs)
    rows = getattr(kind_of(head.kind), "rows", _rows)(head, labels, outputs)
    score = per_example(head, labels, outputs)
    index = range(len(labels)) if frame is None else frame.index
    table = pd.DataFrame({"position": np.arange(len(labels)), "score": score} | rows, index=index)
    worst_first = [not lower_is_better(head), False]
    return table.sort_values(["score", "confidence"], ascending=worst_first, kind="stable")


def _rows(head, labels, outputs):
    """For any kind of head: the labels, and the answers that a served model gives under the head's name."""
    answers = head.decode(outputs)
    found = np.asarray(answers.get(head.name, outputs))
    plain = [each.decode() if isinstance(each, bytes) else np.asarray(each).tolist() for each in found]
    return {"truth": [np.asarray(label).tolist() for label in labels], "answer": plain,
            "confidence": np.nan, "likely_wrong": False}  # fmt: skip


def near_duplicates(test: Any, train: Any, *, least: float = 0.98, most: int = 100) -> pd.DataFrame:
    """Pairs of a training and a test example that are nearly the same, by the cosine of their embeddings.

    Args:
        test, train: embeddings (n, D), such as `embeddings` gives.
        least: cosine from which on two are listed. Embeddings of a trained model are alike within a class: look at the
            pairs before you believe them.
        most: how many pairs at most.

    Returns:
        `pandas.DataFrame`: test, train (positions), similarity; most similar first.

    Example:

    >>> near_duplicates(np.array([[0.0, 2.0, 0.0], [1.0, 1.0, 0.0]]), np.eye(3)).values.tolist()
    [[0.0, 1.0, 1.0]]
    """
    search = NearestNeighbors(n_neighbors=1, metric="cosine").fit(np.asarray(train, "float64"))
    distance, position = search.kneighbors(np.asarray(test, "float64"))
    found = pd.DataFrame({"test": range(len(test)), "train": position[:, 0], "similarity": 1 - distance[:, 0]})
    found = found[found["similarity"] >= least].sort_values("similarity", ascending=False, kind="stable")
    return found.head(most).reset_index(drop=True)
