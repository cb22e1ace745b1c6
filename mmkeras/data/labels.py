"""Encodes columns of labels, some of which may be missing."""

import numpy as np
import tensorflow as tf

from mmkeras.contract.raw_examples import RawExamples, heads_known_to
from mmkeras.data.python_function import python_function


def encode_labels(heads, columns, rows):
    """Encodes the labels of every head.

    A label may be missing (an empty field, None, NaN) where the row has one of another head, unless the head says
    `required=True`. It is encoded as the head's `blank`, and has no part in loss, metrics and scores.

    Args:
        heads: list of heads.
        columns: dict, head name -> list of labels as they stand in the table.
        rows: what errors call the rows.

    Returns:
        Dict, head name -> array (n, ...).

    Raises:
        ValueError: a row has no label at all, or lacks one that is required, or a label is not understood.
    """
    missing = {head.name: _missing(head, columns[head.name]) for head in heads if len(heads) > 1 and not head.required}
    _check_rows(heads, missing, rows)
    return {head.name: _encoded(head, columns[head.name], rows, missing.get(head.name)) for head in heads}


def _missing(head, column):
    return np.fromiter(map(head.is_missing, column), bool, len(column))


def _encoded(head, column, rows, missing):
    if missing is None or not missing.any():
        return head.encode(column, rows)
    there = np.flatnonzero(~missing)
    encoded = np.repeat(head.blank[None], len(column), axis=0)
    if len(there):
        encoded[there] = head.encode([column[i] for i in there], rows[there])
    return encoded


def _check_rows(heads, missing, rows):
    """Raises an error for rows without any label, unless a required head refuses missing labels itself."""
    if len(missing) < len(heads) or not missing:
        return
    empty = np.flatnonzero(np.all(list(missing.values()), axis=0))
    if len(empty):
        more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
        raise ValueError(
            f"Every row needs a label for at least one head of {list(missing)}. Received: {len(empty)} row(s) without "
            f"any: {', '.join(str(rows[i]) for i in empty[:10])}{more}. Fill one in, or drop these rows."
        )


def as_targets(heads, labels):
    """Labels of a batch by name, converted to the targets of the loss if a head needs that; runs in the graph."""
    labels = dict(labels)
    for head in heads:
        if head.needs_targets:
            # Fail here rather than in the first batch if the head lacks something, such as a vocabulary.
            head.targets(head.blank[None])
            shape, dtype = head.target
            made = python_function(lambda values, head=head: head.targets(values), [labels[head.name]], dtype)
            labels[head.name] = tf.ensure_shape(made, (labels[head.name].shape[0], *shape))
    return labels


def heads_of(raw, heads):
    """The heads that are given, or those that the raw examples were read with; () means none.

    Raises:
        ValueError: none are given, and `raw` knows of none.
    """
    found = heads_known_to(raw) if heads is None else list(heads)
    if heads is None and not found:
        raise ValueError(
            f"Training needs heads. Received: heads=None, and {type(raw).__name__} that was read without. Read the "
            "table with heads=[...], or give heads=[...] for the labels of a data set of your own; heads=() for a "
            "model that learns without labels, such as mm.dual_encoder."
        )
    return found


def check_encoded(leaves, heads):
    """Raises ValueError where a label of a data set of one's own is not encoded as its head encodes it.

    Args:
        leaves: dict, name -> `tf.TensorSpec` of one example.
        heads: list of heads.
    """
    for head in heads:
        (shape, dtype), leaf = head.label, leaves[head.name]
        whole = "int" in dtype
        known = leaf.dtype.is_integer if whole else leaf.dtype.is_floating or leaf.dtype.is_integer
        one = shape in ((), (1,)) and not whole and leaf.shape.is_compatible_with(())
        if not known or not (one or leaf.shape.is_compatible_with(shape)):
            raise ValueError(
                f"A label is given as its head encodes it: '{head.name}' is {dtype} of shape {shape}. Received: "
                f"{leaf.dtype.name} of shape {leaf.shape}. Read the data set with mm.data.from_dataset(dataset, specs, "
                "heads), which encodes labels, or call head.encode."
            )


def partly_labelled(raw, heads):
    """Names of the heads for which some raw examples are known to lack labels."""
    known = raw.missing_labels if isinstance(raw, RawExamples) else {}
    return [head.name for head in heads if known.get(head.name)]
