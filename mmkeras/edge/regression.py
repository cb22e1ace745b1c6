"""Answers of a regression."""

MEANING = "{size} value(s) in the target's own unit"


def is_described(head):
    """Whether the dict that describes a head is that of a regression: `size`."""
    return type(head.get("size")) is int and head["size"] > 0


def width(head):
    """How many outputs it has."""
    return head["size"]


def answers(head, values):
    """Values (K,) -> a number, or a list of them where there are several."""
    return {head["name"]: float(values[0]) if len(values) == 1 else values.tolist()}
