"""Answers of a head -> columns of a table."""

import numpy as np


def columns_of(head, answers):
    """What `head.decode` gives, as columns: the outputs themselves one for each class or value, the rest as named.

    Args:
        head: any `Head`.
        answers: dict of tensors (B, ...).

    Yields:
        (name, array (B,), or list of B arrays where an answer has an axis that is not that of the outputs).
    """
    for key, values in answers.items():
        values = _text(values.numpy())
        if key == head.output_key and values.ndim == 2 and (head.classes or head.width > 1):
            labels = head.classes or range(head.width)
            yield from ((f"{head.name}.{label}", values[:, i]) for i, label in enumerate(labels))
        elif values.ndim == 2 and values.shape[1] == 1 and not head.classes:
            yield key, values[:, 0]
        elif not _names_classes(values, head.classes):  # the column names already give the classes
            yield key, values if values.ndim == 1 else list(values)


def _text(values):
    if values.dtype != object:
        return values
    return np.array([value.decode("utf-8", "replace") for value in values.ravel()], object).reshape(values.shape)


def _names_classes(values, classes):
    """Whether every row's value is the list of all classes."""
    return values.ndim == 2 and values.shape[1] == len(classes) and bool(np.all(values == np.array(classes, object)))
