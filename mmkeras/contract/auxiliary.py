"""The names of auxiliary outputs, by which one modality answers to a head on its own: HEAD.SPEC."""


def auxiliary_name(head: str, spec: str) -> str:
    """Name of the output by which one modality answers to a head on its own; no head can be called so.

    Example:

    >>> auxiliary_name("kind", "photo")
    'kind.photo'
    """
    return f"{head}.{spec}"


def for_auxiliary(by_head, outputs):
    """Dict by head name (labels, weights) with the entries of the auxiliary outputs as well; anything else as it is.

    Example:

    >>> for_auxiliary({"kind": 1}, ["kind", "kind.photo"])
    {'kind': 1, 'kind.photo': 1}
    """
    if not isinstance(by_head, dict):
        return by_head
    others = {name: head_of(name) for name in outputs if name not in by_head}
    return by_head | {name: by_head[head] for name, head in others.items() if head in by_head}


def head_of(name):
    """The head that an auxiliary output answers to; None for other outputs."""
    return name.partition(".")[0] if "." in name else None
