"""Answers of a classification."""

import numpy as np

MEANING = "probabilities of {classes}"


def is_described(head):
    """Whether the dict that describes a head is that of a classification: `classes` and `multi_label`."""
    classes = head.get("classes")
    named = isinstance(classes, list) and classes and all(isinstance(name, str) for name in classes)
    return bool(named) and len(set(classes)) == len(classes) and type(head.get("multi_label")) is bool


def width(head):
    """How many outputs it has."""
    return len(head["classes"])


def answers(head, scores):
    """Scores (N,) -> named answers: the class (unless several may hold at once), the scores and whose they are."""
    name, classes = head["name"], head["classes"]
    found = {f"{name}_scores": scores.tolist(), f"{name}_classes": classes}
    return found if head["multi_label"] else {name: classes[int(np.argmax(scores))], **found}
