"""Answers of a generation: the text that ids spell."""

MEANING = "ids of the pieces of a text, at most {size}, 0 from its end on"


def is_described(head):
    """Whether the dict that describes a head is that of a generation: `size` and `pieces`."""
    pieces = head.get("pieces")
    named = isinstance(pieces, list) and len(pieces) > 1 and all(isinstance(piece, str) for piece in pieces)
    return named and type(head.get("size")) is int and head["size"] > 0


def width(head):
    """How many outputs it has."""
    return head["size"]


def answers(head, ids):
    """Ids (L,), 0 from the end on -> the text: their pieces joined, without the blanks at both ends."""
    return {head["name"]: "".join(head["pieces"][int(i)] for i in ids).strip(" ")}
