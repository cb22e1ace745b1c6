"""Checks that `mmkeras.edge` computes the same ready tensors as `preprocess`."""

import warnings

import numpy as np

from mmkeras import edge


def check_prepared(description, raw, ready):
    """Prepares raw examples as on a device, and compares the results.

    Args:
        description: dict of `describe`.
        raw: dict of arrays (n,).
        ready: dict of arrays (n, ...), what `preprocess` made of them.

    Returns:
        Dict, ready name -> {"max_difference", "allowed"}; {"refused": why} for an example that edge cannot read; and
        {"not prepared": names} where a layer is none of this package's. It warns of all but the first.
    """
    found = {}
    try:
        found = _compared(description["inputs"], raw, ready)
        far = {name: each for name, each in found.items() if not each["max_difference"] <= each["allowed"]}
        if far:
            _warn(f"makes other ready tensors than preprocess: {far}. Its answers may differ from Python's")
    except ValueError as error:
        found = {"refused": str(error)}
        _warn(f"refuses an example that preprocess takes: {error}")
    if description["unprepared"]:
        found["not prepared"] = description["unprepared"]
        _warn(f"cannot prepare {description['unprepared']}: a layer of yours makes them. Give `predict` ready tensors")
    return found


def _compared(inputs, raw, ready):
    kinds = {entry["name"]: edge.KINDS[entry["kind"]] for entry in inputs}
    found = {}
    for name, ours in prepared(edge.Preprocess(inputs), raw).items():
        theirs = ready[name]
        apart = np.abs(ours.astype("float64") - theirs)
        kind = kinds.get(name, edge.Modality)  # masks must be equal
        if kind.relative:
            apart = apart / np.maximum(1.0, np.abs(theirs))
        found[name] = {"max_difference": float(np.max(apart)), "allowed": kind.allowed}
    return found


def prepared(prepare, raw):
    """Ready arrays (n, ...) of raw examples (n,), by an `edge.Preprocess`."""
    n = len(next(iter(raw.values())))
    rows = [prepare({name: _plain(raw[name][i]) for name in prepare.names}) for i in range(n)]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _plain(value):
    return value if isinstance(value, bytes | str) or np.ndim(value) else float(value)


def _warn(what):
    warnings.warn(f"On a device, mmkeras.edge {what}.", stacklevel=4)
