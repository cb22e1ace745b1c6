"""The names of auxiliary outputs, the answers of single modalities: HEAD.SPEC."""


def auxiliary_name(head: str, spec: str) -> str:
    """Name of the auxiliary output of one modality; it is not a valid name of a head.

    Example:

    >>> auxiliary_name("kind", "photo")
    'kind.photo'
    """
    return f"{head}.{spec}"


def for_auxiliary(by_head, outputs):
    """Adds the entries of the auxiliary outputs to a dict by head name (labels, weights); other values are unchanged.

    Example:

    >>> for_auxiliary({"kind": 1}, ["kind", "kind.photo"])
    {'kind': 1, 'kind.photo': 1}
    """
    if not isinstance(by_head, dict):
        return by_head
    others = {name: head_of(name) for name in outputs if name not in by_head}
    return by_head | {name: by_head[head] for name, head in others.items() if head in by_head}


def head_of(name):
    """The head of an auxiliary output; None for other outputs."""
    return name.partition(".")[0] if "." in name else None
