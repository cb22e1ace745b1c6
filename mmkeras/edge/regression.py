"""Decodes the output of a regression head."""

MEANING = "{size} value(s) in the target's own unit"


def is_described(head):
    """Whether a dict describes a regression head: `size`."""
    return type(head.get("size")) is int and head["size"] > 0


def width(head):
    """Number of outputs."""
    return head["size"]


def answers(head, values):
    """Values (K,) -> a number, or a list of numbers if K > 1."""
    return {head["name"]: float(values[0]) if len(values) == 1 else values.tolist()}
