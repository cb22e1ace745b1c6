"""Tables in, tables out: examples of a CSV file, answered batch by batch, and their answers as columns."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from mmkeras.causes import cause_of
from mmkeras.checks import did_you_mean
from mmkeras.cli._answering import Refused
from mmkeras.cli._signatures import FILES, Input
from mmkeras.data import Examples, from_dataframe
from mmkeras.data.faults import Fault, report


def renamed_columns(frame: pd.DataFrame, words: Sequence[str], inputs: Sequence[Input]) -> pd.DataFrame:
    """The table, its columns called like the inputs as `words`, NAME=COLUMN, say.

    Raises:
        ValueError: there is no such input or column, or an input is named twice.
    """
    names, chosen = [each.name for each in inputs], {}
    for word in words:
        name, _, column = word.partition("=")
        if name not in names or name in chosen or column not in frame:
            hint = did_you_mean(column, list(frame)) if name in names else did_you_mean(name, names)
            raise ValueError(
                f"--column must be NAME=COLUMN, each NAME once. Received: {word!r}. The inputs are {names}, the "
                f"columns {list(frame)}. {hint}".strip()
            )
        chosen[name] = column
    return frame.assign(**{name: frame[column] for name, column in chosen.items()})


def with_all_columns(frame: pd.DataFrame, inputs: Sequence[Input]) -> tuple[pd.DataFrame, list[str]]:
    """The columns of the inputs, and which of them were added: a whole column may be missing of what may be absent.

    Raises:
        ValueError: a column that is needed is missing, or one has a name that is nearly that of an input.
    """
    names = [each.name for each in inputs]
    others = [column for column in frame if column not in names]
    absent = [each for each in inputs if each.name not in frame]
    wrong = [each.name for each in absent if not each.optional or did_you_mean(each.name, others)]
    if wrong:
        hints = ", ".join(f"{name!r} {did_you_mean(name, others)}".strip() for name in wrong)
        raise ValueError(
            f"The table needs a column for each input, {names}. Missing: {hints}. Received: {list(frame)}. Say "
            'which columns hold them: --column "NAME=COLUMN".'
        )
    added = [each.name for each in absent]
    return frame.assign(**dict.fromkeys(added))[names], added


def examples_of(frame: pd.DataFrame, inputs: Sequence[Input], root: Any, skip: bool) -> tuple[Examples, list[Fault]]:
    """Raw examples of a table whose paths begin at `root`, and what is wrong with rows that are not among them.

    Raises:
        ValueError: an input is computed by a layer that mmkeras does not know; or rows cannot be used, any of them, or
            with `skip` all.
    """
    unknown = [each.name for each in inputs if each.spec is None]
    if unknown:
        raise ValueError(
            f"Tables can hold inputs of mmkeras' own kinds only. Received: {unknown}, of another kind. Read it in "
            "Python, and ask the model there."
        )
    specs = list({each.modality: each.spec for each in inputs}.values())
    examples = from_dataframe(frame, specs, root=root, on_error="skip" if skip else "raise")
    return examples, list(examples.skipped)


def answered(
    answer: Callable[..., Any], examples: Examples, batch_size: int, skip: bool
) -> Iterator[tuple[list[Any], dict[str, np.ndarray], list[Fault]]]:
    """Yields the labels of the rows that were answered, their answers, and faults, by the batch.

    Raises:
        ValueError: rows cannot be used, and not `skip`; those of the batch are named.
    """
    for start in range(0, len(examples.frame), batch_size):
        rows = list(range(start, min(start + batch_size, len(examples.frame))))
        try:
            good, answers, faults = rows, answer(_raw(examples, rows)), []
        except (Refused, tf.errors.OpError):
            faults = [fault for row in rows if (fault := _fault(answer, examples, row))]
            if faults and not skip:
                raise ValueError(report(faults)) from None
            bad = {fault.row for fault in faults}
            good = [row for row in rows if examples.frame.index[row] not in bad]
            answers = answer(_raw(examples, good)) if good else {}
        yield examples.frame.index[good].tolist(), answers, faults


def _raw(examples, rows):
    raw = {name: values.numpy() for name, values in examples.read(tf.constant(rows, tf.int64)).items()}
    return [{name: values[i] for name, values in raw.items()} for i in range(len(rows))]


def _fault(answer, examples, row):
    """What is wrong with one row; None where it can be used."""
    try:
        answer(_raw(examples, [row]))
    except (Refused, tf.errors.OpError) as error:
        cause = cause_of(error) if isinstance(error, tf.errors.OpError) else str(error)
        name = cause.partition(":")[0].partition(",")[0]  # of a table, "NAME, column 'COLUMN': ..."
        spec = next((spec for spec in examples.specs if spec.name == name), None)
        file = examples.origin(row, name) if spec and spec.kind in FILES else ""
        cause = cause[len(name) + 2 :] if spec else cause
        return Fault(examples.frame.index[row], name if spec else "", file, cause)
    return None


def columns_of(answers: Mapping[str, np.ndarray], classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Answers (n, ...) by name -> columns of n values: a score for each class, NAME.CLASS, as of `Predictor`.

    What is a list in each row becomes JSON; the classes that hold are joined by "|", as a column of labels has them.
    """
    found = {}
    for name, values in answers.items():
        head, _, part = name.rpartition("_")
        if part == "scores" and head in classes:
            found |= {f"{head}.{label}": values[:, i] for i, label in enumerate(classes[head])}
        elif part == "holds" and head in classes:
            found[name] = ["|".join(np.array(classes[head], object)[row]) for row in values]
        elif part != "classes" or head not in classes:
            found |= _plain(name, values)
    return found


def _plain(name, values):
    if values.ndim == 2 and values.dtype.kind == "f":
        width = values.shape[1]
        return {name: values[:, 0]} if width == 1 else {f"{name}.{i}": values[:, i] for i in range(width)}
    if values.ndim == 1:
        return {name: [_text(value) for value in values.tolist()]}
    return {name: [json.dumps(_text(row), ensure_ascii=False) for row in values.tolist()]}


def _text(value):
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def joined(table: pd.DataFrame, answers: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table with the answers behind its columns, and what those were renamed to that have the name of a column."""
    renamed = {name: f"{name}.predicted" for name in answers if name in table}
    return table.join(answers.rename(columns=renamed)), renamed
