"""Approximate search by a graph of near neighbours (HNSW), for indices too large for comparing with every row."""

import importlib
from os import PathLike
from typing import Any

import numpy as np

_FEW = 10_000


def _usearch():
    try:
        return importlib.import_module("usearch.index")
    except ImportError as error:
        raise ImportError(
            'search="usearch" needs the package usearch. Received: an environment without it. Run pip install '
            '"mmkeras[search]", or search with search="exact".'
        ) from error


class Graph:
    """The rows of a matrix that are not zero, as usearch connects them.

    Args:
        vectors: (n, D) float32 unit vectors; zeros are absent.
        path: of a file that `save` wrote of the same vectors, which is mapped into memory; None: the graph is built.

    Raises:
        ImportError: usearch is not installed.

    Source: Malkov and Yashunin, arXiv 1603.09320.
    """

    def __init__(self, vectors: np.ndarray, *, path: str | PathLike[str] | None = None) -> None:
        usearch, self._vectors = _usearch(), vectors
        if path is not None:
            self._index = usearch.Index.restore(str(path), view=True)
            return
        self._index = usearch.Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
        rows = np.flatnonzero(np.any(vectors != 0, axis=1))
        if len(rows):
            # Several threads may leave an example without a way to it, which is noticed only where there are few.
            self._index.add(rows.astype("uint64"), vectors[rows], threads=1 if len(rows) < _FEW else 0)

    def search(self, queries: Any, *, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Queries (q, D) -> scores (q, k) float32 and rows (q, k) int64, best first; fewer where there are fewer."""
        queries, k = np.asarray(queries, "float32"), min(k, len(self._index))
        if not k or not len(queries):
            return np.zeros((len(queries), 0), "float32"), np.zeros((len(queries), 0), "int64")
        found = self._index.search(queries, k)
        keys = np.atleast_2d(found.keys)  # of a single query they are a vector
        rows = keys[:, : int(np.min(getattr(found, "counts", keys.shape[1])))].astype("int64")
        scores = np.einsum("qd,qkd->qk", queries, self._vectors[rows])  # those of the graph are rounded otherwise
        order = np.argsort(-scores, axis=1, kind="stable")
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the graph with its vectors."""
        self._index.save(str(path))
