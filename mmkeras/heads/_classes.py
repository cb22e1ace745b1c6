"""Classes of a classification: their labels, weights and thresholds."""

import re
import unicodedata
from collections.abc import Iterable

from mmkeras.heads.base import is_absent
from mmkeras.specs import as_text


def check_weights(name, argument, weights, classes):
    if isinstance(weights, dict) and set(map(named, weights)) != set(classes):
        raise ValueError(
            f"{argument} of head '{name}' must name every class once. Received: {list(weights)}, classes are "
            f"{list(classes)}."
        )
    if isinstance(weights, str) and weights != "balanced":
        raise ValueError(f"{argument} of '{name}' must be 'balanced' or a dict. Received: {weights!r}.")


def named(label):
    return as_text(label).strip()


def spelling(name):
    """The normalised spelling by which class names are compared: composed Unicode, 1 for 1.0, true for True.

    >>> spelling("1.0"), spelling("True"), spelling("cafe\u0301") == "café", spelling("01")
    ('1', 'true', True, '01')
    """
    name = unicodedata.normalize("NFC", name)
    name = re.sub(r"^([+-]?\d+)\.0+$", r"\1", name)
    return name.lower() if name.lower() in ("true", "false") else name


def several(labels):
    """The labels of one multi-label example."""
    if isinstance(labels, str | bytes):
        labels = as_text(labels).split("|")
    elif not isinstance(labels, Iterable):
        labels = [labels]
    return [label for label in labels if not is_absent(label)]


def checked_thresholds(head):
    """The thresholds of a head as a tuple."""
    wanted = len(head.classes) if head.multi_label else 1
    given = head.thresholds if isinstance(head.thresholds, Iterable) else (head.thresholds,)
    thresholds = tuple(map(float, given))
    possible = head.multi_label or len(head.classes) == 2
    if not possible or len(thresholds) != wanted or not all(0 <= each <= 1 for each in thresholds):
        raise ValueError(
            f"thresholds of head '{head.name}' are probabilities: one for two classes, one for each where several may "
            f"hold at once. Received: {head.thresholds!r}, {len(head.classes)} classes, "
            f"multi_label={head.multi_label}. Leave them out: the answer is then the most probable class."
        )
    return thresholds
