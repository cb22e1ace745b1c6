"""Embeddings of a data set with their identifiers, and search among them."""

import importlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mmkeras.checks import check, check_whole, did_you_mean
from mmkeras.data import eval_batches
from mmkeras.data.progress import shown_if_slow
from mmkeras.models import DualEncoder
from mmkeras.preprocess import Preprocess
from mmkeras.retrieval._approximate import Graph
from mmkeras.retrieval._search import BLOCK, compiled, nothing
from mmkeras.temporary_folder import temporary_folder


class Found(NamedTuple):
    """What `Index.search` returns.

    Args:
        identifiers: (q, k) array of str, best first.
        scores: (q, k) float32, cosines.
    """

    identifiers: np.ndarray
    scores: np.ndarray


class Index:
    """Embeddings of every modality of a data set, in which any modality finds any other.

    The search is exact by default: the query's vector against all of them, in blocks, so that memory stays small. For
    very many examples `search="usearch"` is faster: a graph of near neighbours, built in the first search after a
    change, finds most of the best ones; `recall` says how many. Among 50,000 clustered vectors of 64 numbers it found
    0.999 of the best ten in a fourteenth of the CPU time. Exports search exactly in any case.

    Args:
        model: trained `mm.dual_encoder`.
        preprocess: adapted model, raw -> ready, of the same specs.
        raw: raw examples, as `mm.data.from_csv` reads them; those of some of the modalities are enough. None: an empty
            index, to `add` to.
        identifiers: what the examples are called: a column of the table, or a list of as many; None: their row labels.
        batch_size: examples that are embedded at a time.
        verbose: show a progress bar where it takes long.
        search: "exact", or "usearch", approximate: `pip install "mmkeras[search]"`.

    Raises:
        ValueError: the model is no dual encoder, specs do not fit, an identifier comes twice, or a file is broken; or
            `search` is unknown.
    """

    def __init__(
        self,
        model: DualEncoder,
        preprocess: Preprocess,
        raw: Any = None,
        *,
        identifiers: str | Sequence[Any] | None = None,
        batch_size: int = 64,
        verbose: bool = True,
        search: str = "exact",
    ) -> None:
        ok = hasattr(model, "tower")
        check(ok, "An index needs a mm.dual_encoder.", repr(model), "Build the model with mm.dual_encoder(...).")
        check(search in ("exact", "usearch"), 'search is "exact" or "usearch".', repr(search), "Choose one.")
        self.model, self.preprocess = model, preprocess
        self._approximate, self._graphs = search == "usearch", {}
        self.dim = int(next(iter(model.output.values())).shape[-1])
        self._towers = {spec.name: _compiled(model.tower(spec.name)) for spec in model.specs}
        self._parts = []  # list of {modality: (n, D)}, one for each call of `add`; removed rows are zeros
        self._places = {}  # identifier -> row, counted over all parts
        if raw is not None:
            self.add(raw, identifiers=identifiers, batch_size=batch_size, verbose=verbose)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def identifiers(self) -> list[str]:
        """List of the identifiers, in the order in which they were added."""
        return list(self._places)

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities, in the order of the specs."""
        return [spec.name for spec in self.model.specs]

    def vectors(self, name: str) -> np.ndarray:
        """(n, D) float32 unit vectors of a modality in the order of `identifiers`; zeros where it is absent."""
        rows = np.array(list(self._places.values()), int)
        parts = [part.get(name) for part in self._parts]
        sizes = [len(next(iter(part.values()))) for part in self._parts]
        none = [np.zeros((size, self.dim), "float32") if part is None else part
                for part, size in zip(parts, sizes, strict=True)]  # fmt: skip
        return np.concatenate(none)[rows] if none else np.zeros((0, self.dim), "float32")

    def add(
        self,
        raw: Any,
        *,
        identifiers: str | Sequence[Any] | None = None,
        batch_size: int = 64,
        verbose: bool = True,
    ) -> None:
        """Embeds more examples; arguments as those of the class."""
        names = [spec.name for spec in self.model.specs if set(spec.raw) <= set(raw.element_spec)]
        rule = f"Examples must hold one of the modalities {self.modalities}."
        check(names, rule, list(raw.element_spec), "Read them with the specs of the model.")
        called = _called(raw, identifiers)
        batches = eval_batches(raw, self.preprocess.part(names), heads=(), batch_size=batch_size, on_error="raise")
        total = None if called is None else -(-len(called) // batch_size)
        parts = [
            self._embedded(names, batch) for batch in shown_if_slow(batches, "Embedding", total=total, verbose=verbose)
        ]
        found = {name: np.concatenate([part[name] for part in parts]) for name in names} if parts else {}
        self._take(found, called if called is not None else list(range(len(next(iter(found.values()))))))

    def _embedded(self, names, ready):
        inputs = {name: self.model.spec(name).ready for name in names}
        return {name: self._towers[name]({key: ready[key] for key in inputs[name]})[name].numpy() for name in names}

    def _take(self, vectors, called):
        called = [str(each) for each in called]
        count = len(next(iter(vectors.values()))) if vectors else 0
        check(len(called) == count, "There must be an identifier for each example.",
              f"{len(called)} for {count} examples", "Give a column of the table, or a list.")  # fmt: skip
        twice = [each for each in set(called) if each in self._places] or _repeated(called)
        check(not twice, "An identifier may come once.", sorted(twice)[:5], "Remove the old ones first, or rename.")
        first = sum(len(next(iter(part.values()))) for part in self._parts)
        if count:
            self._parts.append(vectors)
        self._graphs.clear()
        self._places |= {each: first + i for i, each in enumerate(called)}

    def remove(self, identifiers: Sequence[Any]) -> None:
        """Forgets examples; ValueError where one is not there."""
        identifiers = [str(each) for each in identifiers]
        unknown = [each for each in identifiers if each not in self._places]
        near = did_you_mean(unknown[0], self._places) if unknown else ""
        check(not unknown, "Only what is in the index can be removed.", unknown[:5], near or "See index.identifiers.")
        gone = {self._places.pop(each) for each in identifiers}
        self._graphs.clear()
        first = 0
        for number, part in enumerate(self._parts):
            size = len(next(iter(part.values())))
            rows = [row - first for row in gone if first <= row < first + size]
            if rows:  # copy into memory, because the memory-mapped file may have other readers
                self._parts[number] = {name: _emptied(values, rows) for name, values in part.items()}
            first += size

    def embed(self, query: Mapping[str, Any]) -> np.ndarray:
        """Raw values of one modality, dict by raw name of (q,) lists -> (q, D) float32 unit vectors."""
        names = [spec.name for spec in self.model.specs if set(spec.raw) == set(query)]
        wanted = {spec.name: list(spec.raw) for spec in self.model.specs}
        check(names, f"A query holds the raw values of one modality: {wanted}.", list(query), "Give one of them.")
        ready = self.preprocess.part(names)({key: tf.constant(values) for key, values in query.items()}, training=False)
        return self._embedded(names, ready)[names[0]]

    def search(self, query: Any, *, find: str, k: int = 10) -> Found:
        """The examples whose modality `find` lies nearest to the query.

        Args:
            query: raw values of one modality, dict by raw name of (q,) lists; or embeddings (q, D).
            find: name of the modality to look among.
            k: how many; all of them where there are fewer.

        Returns:
            `Found`: identifiers and scores (q, k), best first. A query that is absent (an empty optional one) has the
            score 0 with everything.

        Raises:
            ValueError: there is no such modality, or the query is none.
        """
        check(find in self.modalities, f"find is one of {self.modalities}.", repr(find),
              did_you_mean(find, self.modalities) or "Name one.")  # fmt: skip
        check_whole("search", k=k)
        queries = tf.constant(self.embed(query) if isinstance(query, dict) else np.asarray(query, "float32"))
        return (self._near if self._approximate else self._nearest)(queries, find, min(k, len(self)))

    def recall(self, query: Any, *, find: str, k: int = 10) -> float:
        """Share of the exact search's results that `search` finds, too; arguments as those of `search`."""
        found = self.search(query, find=find, k=k).identifiers
        queries = tf.constant(self.embed(query) if isinstance(query, dict) else np.asarray(query, "float32"))
        exact = self._nearest(queries, find, min(k, len(self))).identifiers
        check(exact.size, "Recall is of results.", "none", f"Add examples with '{find}', and give a query.")
        shared = [len({*one} & {*other}) for one, other in zip(found, exact, strict=True)]
        return sum(shared) / exact.size

    def _near(self, queries, find, k):
        if find not in self._graphs:
            self._graphs[find] = Graph(self.vectors(find))
        scores, rows = self._graphs[find].search(queries, k=k)
        return Found(np.array(self.identifiers, object)[rows], scores)

    def _nearest(self, queries, find, k):
        scores, rows = nothing(queries, k)
        first = 0
        for part in self._parts:
            values = part.get(find, ())
            for start in range(0, len(values), BLOCK):
                block = tf.constant(np.ascontiguousarray(values[start : start + BLOCK]))
                scores, rows = compiled(queries, block, tf.constant(first + start, tf.int64), scores, rows, k)
            first += len(next(iter(part.values())))
        rows = rows.numpy()
        there = int((rows[:1] >= 0).sum())  # fewer than k if examples lack this modality
        called = {row: each for each, row in self._places.items()}
        names = [[called[row] for row in line] for line in rows[:, :there].tolist()]
        return Found(np.array(names, object).reshape(len(rows), there), scores.numpy()[:, :there])

    def save(self, path: str | PathLike[str]) -> None:
        """Writes a folder: the embeddings, what they are called, and the two models, so that `load` needs no more.

        Raises:
            FileExistsError: the folder is there.
        """
        path = Path(path).expanduser()
        if path.exists():
            raise FileExistsError(f"An index is not overwritten. Received: '{path}', which exists. Give a new name.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(".unfinished-", path.parent) as folder:
            made = folder / path.name
            made.mkdir()
            for name in self.modalities:
                if any(name in part for part in self._parts):
                    np.save(made / f"{name}.npy", self.vectors(name))
            for name, graph in self._graphs.items():
                graph.save(made / f"{name}.usearch")
            (made / "identifiers.json").write_text(json.dumps(self.identifiers), encoding="utf-8")
            self.model.save(made / "model.keras")
            self.preprocess.save(made / "preprocess.keras")
            made.rename(path)

    @classmethod
    def load(cls, path: str | PathLike[str], *, search: str = "exact") -> "Index":
        """Reads what `save` wrote. The embeddings stay on disk and are mapped into memory as they are searched.

        Args:
            path: of the folder.
            search: as in the class; graphs that were searched before `save` need not be built again.

        Raises:
            FileNotFoundError: there is no such folder, or no index in it.
        """
        path = Path(path).expanduser()
        if not path.joinpath("identifiers.json").is_file():
            raise FileNotFoundError(f"load needs a folder that Index.save wrote. Received: '{path}', which is not one.")
        index = cls(_loaded(path / "model.keras"), _loaded(path / "preprocess.keras"), search=search)
        files = {name: path / f"{name}.npy" for name in index.modalities}
        vectors = {name: np.load(file, mmap_mode="r") for name, file in files.items() if file.exists()}
        index._take(vectors, json.loads(path.joinpath("identifiers.json").read_text(encoding="utf-8")))
        graphs = {name: path / f"{name}.usearch" for name in index.modalities if index._approximate}
        index._graphs |= {name: Graph(vectors[name], path=file) for name, file in graphs.items() if file.exists()}
        return index


def _loaded(path):
    importlib.import_module("mmkeras.branches")  # registers the classes that the file refers to
    with zipfile.ZipFile(path) as archive:
        if b"keras_hub" in archive.read("config.json"):
            importlib.import_module("keras_nlp")  # imported only if needed because it takes seconds
    return keras.saving.load_model(path)


def _compiled(tower):
    return tf.function(lambda ready: tower(ready, training=False), reduce_retracing=True)


def _called(raw, identifiers):
    """Identifiers of raw examples as a list; None if their number is unknown."""
    frame = getattr(raw, "frame", None)
    if isinstance(identifiers, str):
        columns = [] if frame is None else list(frame.columns)
        rule, near = "identifiers is a column of the table, or a list.", did_you_mean(identifiers, columns)
        check(identifiers in columns, rule, repr(identifiers), near or f"The table has {columns}.")
        return frame[identifiers].tolist()
    if identifiers is not None:
        return list(identifiers)
    return None if frame is None else list(frame.index)


def _repeated(called):
    seen = set()
    return [each for each in called if each in seen or seen.add(each)]


def _emptied(values, rows):
    values = np.array(values)
    values[rows] = 0
    return values
