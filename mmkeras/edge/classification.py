"""Decodes the output of a classification head."""

import numpy as np

MEANING = "probabilities of {classes}"


def is_described(head):
    """Whether a dict describes a classification head: `classes`, `multi_label` and `thresholds`."""
    classes = head.get("classes")
    named = isinstance(classes, list) and classes and all(isinstance(name, str) for name in classes)
    whole = bool(named) and len(set(classes)) == len(classes) and type(head.get("multi_label")) is bool
    return whole and ("thresholds" not in head or _are_thresholds(head))


def _are_thresholds(head):
    """Whether there is one threshold for two classes, or one for each class of a multi-label head."""
    thresholds, count = head["thresholds"], len(head["classes"]) if head["multi_label"] else 1
    numbers = isinstance(thresholds, list) and all(type(each) in (int, float) and 0 <= each <= 1 for each in thresholds)
    return numbers and len(thresholds) == count and (head["multi_label"] or len(head["classes"]) == 2)


def width(head):
    """Number of outputs."""
    return len(head["classes"])


def answers(head, scores):
    """Scores (N,) -> named answers: the class, the scores and whose they are.

    Where several classes may hold at once, there is no one class; with thresholds, `NAME_holds` says which hold.
    """
    name, classes, thresholds = head["name"], head["classes"], head.get("thresholds")
    found = {f"{name}_scores": scores.tolist(), f"{name}_classes": classes}
    if head["multi_label"]:
        return found if thresholds is None else found | {f"{name}_holds": (scores >= np.float32(thresholds)).tolist()}
    chosen = int(np.argmax(scores)) if thresholds is None else int(scores[1] >= np.float32(thresholds[0]))
    return {name: classes[chosen], **found}
