"""Decodes the output of a generation head: the text of a sequence of ids."""

MEANING = "ids of the pieces of a text, at most {size}, 0 from its end on"


def is_described(head):
    """Whether a dict describes a generation head: `size` and `pieces`."""
    pieces = head.get("pieces")
    named = isinstance(pieces, list) and len(pieces) > 1 and all(isinstance(piece, str) for piece in pieces)
    return named and type(head.get("size")) is int and head["size"] > 0


def width(head):
    """Number of outputs."""
    return head["size"]


def answers(head, ids):
    """Ids (L,), 0 after the end -> the text: their pieces joined, stripped of blanks."""
    return {head["name"]: "".join(head["pieces"][int(i)] for i in ids).strip(" ")}
