"""Labels for examples that have none, by a model that is already trained."""

from typing import TYPE_CHECKING

import keras
import numpy as np
import pandas as pd
from rich import print as rich_print

from mmkeras.checks import check
from mmkeras.contract import SAMPLE_WEIGHT
from mmkeras.data import Examples, eval_batches, select_inputs
from mmkeras.data_checks import kind

if TYPE_CHECKING:
    from mmkeras.heads import Head


def pseudo_labels(
    model: keras.Model,
    preprocess: keras.Model,
    raw: Examples,
    *,
    unlabelled: Examples,
    confidence: float = 0.95,
    weight: float = 1.0,
    column: str = "origin",
    verbose: bool = True,
) -> Examples:
    """The labelled examples and, with the model's answers as labels, those unlabelled ones it is confident about.

        confident = mm.evaluate.calibrated(model, valid_batches)     # 0.95 is then right in about 95 % of the cases
        more = mm.train.pseudo_labels(confident, preprocess, raw_train, unlabelled=raw_rest)
        new_model.fit(mm.data.train_batches(more, preprocess, batch_size=64), epochs=10)

    Whether it helps depends on the data: compare both models on validation examples. Errors of the first model are
    learned by the second one, and frequent classes, which reach the confidence more often, become more frequent. Of
    emojis of which 5 % were labelled (52, with frozen pretrained encoders), the accuracy of 9 groups rose from 0.599 to
    0.621, 0.612, 0.615 and 0.609 with the confidences 0.6, 0.8, 0.9 and 0.95, and 0.844 if all are labelled.

    Args:
        model: a trained model with a head of one class of N. Networks tend to be overconfident: calibrate it before.
        preprocess: of the model.
        raw: the labelled examples of a table; their heads are those that get labels. Of several heads, each gets
            those labels that reach the confidence; labels of other kinds of heads are missing in the new rows.
        unlabelled: examples of a table with the same specs, read with `heads=()`. Labels that they have are not used.
        confidence: least probability of the answer.
        weight: sample weight of the new rows; those of `raw` keep theirs, or have 1.
        column: name of the column of the frame that says where a row is from, "given" or "pseudo".
        verbose: whether to print how many rows were labelled.

    Returns:
        `Examples`: the rows of `raw`, then the new ones. It has sample weights where `weight` is not 1, or `raw` has
        them. `more.frame[column]` tells the rows apart.

    Raises:
        TypeError: the examples are not those of a table.
        ValueError: `confidence` or `weight` is out of range, there is no suitable head, a head requires its label,
            the column is already there, or no example reaches the confidence.

    Example:

    >>> import mmkeras as mm
    >>> specs, mood = [mm.Vector("x", size=1)], mm.heads.classification("mood", classes=["bad", "good"])
    >>> raw = mm.data.from_dataframe(pd.DataFrame({"x": [[0.4]], "mood": ["good"]}), specs, [mood])
    >>> rest = mm.data.from_dataframe(pd.DataFrame({"x": [[0.98], [0.6]]}), specs)
    >>> x = keras.Input((1,), name="x")
    >>> model = keras.Model({"x": x}, {"mood": keras.ops.concatenate([1 - x, x], axis=-1)})
    >>> more = pseudo_labels(model, mm.preprocessor(specs), raw, unlabelled=rest, verbose=False)
    >>> more.frame[["mood", "origin"]].values.tolist()
    [['good', 'given'], ['good', 'pseudo']]

    Source: Lee, Pseudo-Label, ICML 2013 workshop on representation learning; with a threshold as in FixMatch, arXiv
    2001.07685, equation 4, but chosen once and not in every batch.
    """
    _check(raw, unlabelled, confidence, weight, column)
    heads = _heads(raw.heads)
    batches = eval_batches(_inputs(unlabelled), preprocess, heads=(), on_error="raise", verbose=False)
    outputs = model.predict(select_inputs(batches, model), verbose=0)
    lacking = [head.name for head in heads if head.name not in outputs]
    check(not lacking, "The model must answer the heads of the labelled examples.",
          f"{list(outputs)} without {lacking}", "Give a model with these heads.")  # fmt: skip
    labels = {head.name: _confident(head, np.asarray(outputs[head.name]), confidence) for head in heads}
    rows = np.flatnonzero(np.any([head.labelled(labels[head.name]) for head in heads], axis=0))
    best = max(float(np.max(outputs[head.name])) for head in heads)
    check(len(rows), "Some unlabelled example must reach the confidence.",
          f"confidence={confidence}, and {best:.3f} at most", "Give a lower confidence.")  # fmt: skip
    if verbose:
        rich_print(f"Pseudo-labels of confidence {confidence}: {len(rows):,} of {len(unlabelled.frame):,} examples")
    return _joined(raw, unlabelled.subset(rows), {name: each[rows] for name, each in labels.items()}, weight, column)


def _check(raw, unlabelled, confidence, weight, column):
    for name, examples in {"raw": raw, "unlabelled": unlabelled}.items():
        if not isinstance(examples, Examples):
            raise TypeError(
                f"Pseudo-labels need examples of a table. Received: {name} is {kind(examples)}. Read them with "
                "mm.data.from_csv or mm.data.from_dataframe."
            )
    check(0 < confidence < 1, "confidence is a probability.", f"confidence={confidence!r}", "Give 0.95, for example.")
    check(0 < weight < np.inf, "The weight of a row must be positive.", f"weight={weight!r}", "Give 0.5, for example.")
    taken = [name for name, each in {"raw": raw, "unlabelled": unlabelled}.items() if column in each.frame]
    check(not taken, "column= is a new column.", f"{column!r}, which {' and '.join(taken)} has", "Give another name.")


def _heads(heads: "list[Head]") -> "list[Head]":
    """The heads that get labels."""
    chosen = [head for head in heads if head.kind == "classification" and not head.multi_label]
    check(chosen, "Pseudo-labels are for heads of one class of N.", f"heads {[head.name for head in heads]}",
          "Read the labelled examples with a classification head.")  # fmt: skip
    others = [head.name for head in heads if head not in chosen and head.required]
    check(not others, "Only classifications of one class get pseudo-labels, so that other heads lack theirs.",
          f"{others} with required=True", "Leave required=True out, or these heads.")  # fmt: skip
    return chosen


def _inputs(examples):
    return examples.select([name for spec in examples.specs for name in spec.raw])


def _confident(head, scores, confidence):
    """Class numbers (n,), blank where the answer is less probable than `confidence`."""
    answers = np.asarray(head.chosen(scores)).astype("int32")
    sure = np.take_along_axis(scores, answers[:, None], 1)[:, 0] >= confidence
    return np.where(sure, answers, head.blank)


def _joined(raw, new, labels, weight, column):
    count = len(new.frame)
    table = _inputs(new).table | {
        head.name: labels.get(head.name, np.repeat(head.blank[None], count, axis=0)) for head in raw.heads
    }
    first = dict(raw.table)
    if weight != 1 or SAMPLE_WEIGHT in first:
        first.setdefault(SAMPLE_WEIGHT, np.ones(len(raw.frame), "float32"))
        table[SAMPLE_WEIGHT] = np.full(count, weight, "float32")
    names = {head.name: [head.shown(label) for label in labels[head.name]] for head in raw.heads if head.name in labels}
    named = {name: each for name, each in names.items() if name in raw.frame}
    frame = pd.concat([raw.frame.assign(**{column: "given"}), new.frame.assign(**named, **{column: "pseudo"})])
    columns = {name: np.concatenate([values, table[name]]) for name, values in first.items()}
    return Examples(frame, columns, raw.specs, raw.heads, on_error=raw.on_error, skipped=raw.skipped)
