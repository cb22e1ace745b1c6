from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mmkeras.checks import check_whole
from mmkeras.contract import NamedModel, without_auxiliary
from mmkeras.data import Examples
from mmkeras.data.progress import shown_if_slow
from mmkeras.export.fit import check_fit, decoded
from mmkeras.export.graph import checked
from mmkeras.export.predictor import file
from mmkeras.export.predictor.absent import asked_again, optional_columns, statuses
from mmkeras.export.predictor.batches import answered, no_rows
from mmkeras.export.predictor.columns import columns_of
from mmkeras.export.predictor.rows import examples_of, frame_of
from mmkeras.formats.status import STATUS, check_free, check_on_error, why_refused
from mmkeras.heads import Head, heads_of
from mmkeras.preprocess import Preprocess


class Predictor:
    """Answers rows with a trained model: texts, numbers and paths in, a `pandas.DataFrame` of names and scores out.

    Prefer `evaluate.report` for scores of labelled examples, and `export.saved_model` for what runs without this
    package. The answers are those of the SavedModel: preprocessing, model and decoding of the heads in one graph.

    Args:
        preprocess: the adapted model from raw to ready.
        model: trained functional `keras.Model` of what `preprocess` gives.
        heads: list of heads; None for those that the model was built with.

    Attributes:
        preprocess: as given.
        model: the same layers and weights as the given model, without its optimizer and its auxiliary outputs.
        heads: list of heads.

    Raises:
        TypeError: `preprocess` is another model.
        ValueError: preprocess, model and heads do not belong together.

    Example:

    >>> import mmkeras as mm
    >>> spec, head = mm.Text("review", vocabulary=("good", "bad")), mm.heads.classification("mood", ["sad", "glad"])
    >>> branch = mm.branches.text.conv1d(spec, filters=4)
    >>> model = mm.fusion_model([spec], {"review": branch}, mm.fusion.Concatenate(4), [head])
    >>> predictor = mm.Predictor(mm.preprocessor([spec]), model)
    >>> predictor.predict([{"review": "Good!"}, {"review": "Not bad"}], verbose=False).columns.tolist()
    ['mood', 'mood.sad', 'mood.glad']
    """

    def __init__(self, preprocess: Preprocess, model: keras.Model, heads: Sequence[Head] | None = None) -> None:
        if not isinstance(preprocess, Preprocess):
            raise TypeError(
                "Predictor takes what mm.preprocessor made, and then the model. Received: "
                f"{type(preprocess).__name__} as the first. Write mm.Predictor(preprocess, model)."
            )
        self.preprocess, self.heads = preprocess, heads_of(model, heads)
        model = without_auxiliary(model, self.heads)
        check_fit(preprocess, model, self.heads)
        outputs = {head.name: model.output[head.name] for head in self.heads}
        self.model = NamedModel.of(model.input, outputs, getattr(model, "specs", ()), self.heads, name=model.name)
        raw = {name: tf.TensorSpec((None, *x.shape[1:]), x.dtype, name) for name, x in preprocess.input.items()}
        self._answer = tf.function(self._graph, input_signature=[raw], autograph=False)

    def _graph(self, raw):
        outputs = self.model(checked(self.preprocess(raw, training=False)), training=False)
        decoded(self.heads, outputs)  # raises an error if two heads use the same answer name
        return {head.name: head.decode(outputs[head.name]) for head in self.heads}

    def predict(
        self,
        rows: pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Examples,
        *,
        root: str | PathLike[str] | Mapping[str, str | PathLike[str]] = ".",
        columns: Mapping[str, Any] | None = None,
        batch_size: int = 64,
        on_error: str = "raise",
        verbose: bool = True,
    ) -> pd.DataFrame:
        """A row of answers for each row, in the same order and with the same index.

        Args:
            rows: a DataFrame with a column for each raw name (others do not matter); or a dict for one row, or a list
                of dicts, in which optional names may be left out and unknown ones are refused; or what `data.from_csv`
                and its like return. Values are those that `data.from_dataframe` reads.
            root: folder or archive that paths are relative to, or a dict of them, as in `data.from_dataframe`.
            columns: dict, raw name -> the name of its column or key where it differs.
            batch_size: rows that go through the model at once.
            on_error: "raise"; or "skip": a row that cannot be used keeps its place, with NaN for each answer, and the
                column "status" says "refused: " and why; or "absent": the same, but a broken value of an optional
                modality counts as missing, and the status of its row is "absent: " and why. It is "" in all other rows.
            verbose: show a progress bar where it takes longer than a second, and how many rows have no answer.

        Returns:
            `pandas.DataFrame`. A classification NAME has a column NAME with the class (unless several may hold at once)
            and NAME.CLASS with the score of each class; a regression has NAME, or NAME.0, NAME.1, ... of several
            values. Heads of other kinds have the columns that their `decode` names.

        Raises:
            TypeError: `rows` is something else; or it is what `data.from_csv` returns, with on_error="absent".
            ValueError: a column is missing, a key is unknown, or a row cannot be used; the message names them.
        """
        self._check(batch_size, on_error)
        skip = on_error != "raise"
        self._answer.get_concrete_function()  # trace now, in this thread, rather than in a worker thread

        def ask(rows):
            index, examples, faults = examples_of(rows, self.preprocess, root, columns, skip)
            return index, *self._answered(index, examples, faults, batch_size, skip, verbose)

        def again(frame):
            labels, table, faults = ask(frame)
            faults = [fault._replace(row=labels[fault.row]) for fault in faults]
            return table.set_axis(labels[table.index]), faults

        frame = frame_of(rows, self.preprocess, columns).reset_index(drop=True) if on_error == "absent" else None
        index, table, faults = ask(rows)
        left_out = {}
        if on_error == "absent":
            names = optional_columns(self.preprocess.specs, columns)
            table, faults, left_out = asked_again(again, frame, names, table, faults)
        table = table.reindex(range(len(index)))
        if skip:
            table[STATUS] = statuses(table.index, faults, left_out)
            _tell(table[STATUS], verbose)
        return table.set_axis(index)

    def _answered(self, index, examples, faults, batch_size, skip, verbose):
        """The table of the rows that are answered, by position, and the faults of the others."""
        positions = np.arange(len(index)) if examples is None or not skip else examples.frame.index.to_numpy()
        count = 0 if examples is None else len(examples.frame)
        batches = answered(self._answer, examples, count, self.preprocess, batch_size, skip)
        parts = []
        for good, answers, found in shown_if_slow(batches, "Predicting", -(-count // batch_size), verbose):
            parts += [self._table(answers, positions[good])] if len(good) else []
            faults += found
        parts = parts or [self._table(self._answer(no_rows(self.preprocess)), [])]
        return pd.concat(parts), faults

    def _check(self, batch_size, on_error):
        check_on_error(on_error)
        check_whole("Predictor.predict", batch_size=batch_size)
        check_free([head.name for head in self.heads], on_error)

    def _table(self, answers, positions):
        named = {name: column for head in self.heads for name, column in columns_of(head, answers[head.name])}
        return pd.DataFrame(named, index=positions)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes both models into one file, a ZIP archive of `.keras` files; an existing one is replaced.

        Args:
            path: of the file, such as "sentiment.zip"; its folder is made where it is not there.
        """
        file.write(path, self.preprocess, self.model)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Predictor:
        """Reads a file of `save`, in any process: specs, vocabularies, classes and weights are in it.

        Layers of your own must be registered with Keras and imported before, as for `keras.saving.load_model`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or of another kind.
        """
        return cls(*file.read(path))


def _tell(left_out, verbose):
    missing = sum(why_refused(status) is not None for status in left_out)
    if verbose and missing:
        print(f"{missing} of {len(left_out)} rows have no answer; the column '{STATUS}' says why.")
