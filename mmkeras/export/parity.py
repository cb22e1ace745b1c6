"""Checks that an export answers like Python. All formats must meet the same four conditions, see `distance.faults`."""

import numpy as np

from mmkeras.export.distance import distances, faults


def units(heads):
    """Head name -> the unit in which its answers are compared.

    Example:

    >>> from mmkeras import heads
    >>> units([heads.regression("year", mean=2000.0, std=5.0), heads.classification("kind", ["a", "b"])])
    {'year': {'kind': 'values', 'std': (5.0,)}, 'kind': {'kind': 'classes'}}
    """
    return {head.name: head.unit for head in heads}


def numbers_of(heads, answers):
    """Named answers of a serving model -> outputs of the heads that they contain, by head name."""
    heads = [head for head in heads if head.output_key]
    if missing := [head.output_key for head in heads if head.output_key not in answers]:
        raise ValueError(
            f"The SavedModel must give the answers of this model's heads. Missing: {missing}. Received: "
            f"{sorted(answers)}. Is it the export of another model?"
        )
    return {head.name: np.asarray(answers[head.output_key]) for head in heads}


def check_outputs(who, heads, received, expected, tolerance, half=False):
    """Raises ValueError where outputs by head name are not those of Python, see `distance.faults`.

    Args:
        who: what the message calls the one that answered.
        heads: list of heads.
        received, expected: dicts, head name -> array (n, ...).
        tolerance, half: as in `distance.faults`.
    """
    found = {name: faults(unit, received[name], expected[name], tolerance, half) for name, unit in units(heads).items()}
    refuse({f"{who}: {name}": why for name, why in found.items()}, tolerance, half)


def refuse(problems, tolerance, half=False):
    """Raises ValueError listing all problems, given as a dict from subject to sentences, if there are any."""
    lines = [f"  {about}: {'; '.join(why)}." for about, why in problems.items() if why]
    if lines:
        float16 = (
            ' float16 has 11 bits and ends at 65504: quantize="dynamic" has more for large values.' if half else ""
        )
        raise ValueError(
            f"The exported model must answer as the Python model does, within tolerance={tolerance}. Received:\n"
            + "\n".join(lines)
            + "\nIs it the export of this model, with these weights and heads? If so, and if this is rounding (mixed "
            f"precision, a GPU here, 8 bits), give a larger tolerance=.{float16}"
        )


def answer_problems(heads, received, expected, tolerance):
    """Compares all named answers of a serving model, names of classes among them.

    Args:
        heads: list of heads.
        received, expected: dicts of arrays (n, ...), as `fit.decoded` names them.
        tolerance: as in `distance.faults`.

    Returns:
        (largest, problems): largest distance by answer, of names 0 or infinity; and dict, answer -> list of sentences.
        The first class may be another where Python's two scores are within twice `tolerance`: a tie. So may a text,
        where the two have the same NAME_score.

    Raises:
        ValueError: the answers bear other names.
    """
    if set(received) != set(expected):
        raise ValueError(f"The answers must have the heads' names {sorted(expected)}. Received: {sorted(received)}.")
    largest, problems = {}, {}
    for head in heads:
        key, unit = head.output_key, head.unit
        if key is None:
            _compare_texts(head, received, expected, tolerance, largest, problems)
            continue
        apart = distances(unit, received[key], expected[key])
        largest[key] = float(apart.max()) if len(apart) else 0.0
        problems[key] = faults(unit, received[key], expected[key], tolerance)
        for name in {head.name, f"{head.name}_classes", f"{head.name}_holds"} & set(expected) - {key}:
            wrong = _other_names(head, received, expected, name, tolerance)
            largest[name] = float("inf") if wrong else 0.0
            what = "names of classes" if head.classes else "texts"
            problems[name] = [f"other {what} in {wrong} examples"] if wrong else []
    return {name: largest[name] for name in expected}, problems


def _compare_texts(head, received, expected, tolerance, largest, problems):
    """Checks that texts are equal and their scores, if any, are close."""
    name, score = head.name, f"{head.name}_score"
    theirs, ours = np.asarray(received[name]), np.asarray(expected[name])
    wrong = (theirs != ours).reshape(len(ours), -1).any(-1) if theirs.shape == ours.shape else np.ones(len(ours), bool)
    if score in expected:
        apart = np.abs(np.asarray(received[score]) - expected[score]) / (1 + np.abs(expected[score]))
        wrong &= apart > tolerance
        largest[score] = float(apart.max()) if len(apart) else 0.0
        problems[score] = [] if largest[score] <= 10 * tolerance else [f"scores differ by {largest[score]:.3g} of 1"]
    largest[name] = float("inf") if wrong.any() else 0.0
    problems[name] = [f"other texts in {wrong.sum()} of {len(ours)} examples"] if wrong.any() else []


def _other_names(head, received, expected, name, tolerance):
    """Number of examples whose names differ, not counting ties."""
    theirs, ours = np.asarray(received[name]), np.asarray(expected[name])
    if theirs.shape != ours.shape:
        return max(len(ours), 1)
    scores, thresholds = np.asarray(expected[head.output_key]), getattr(head, "thresholds", None)
    differs = theirs != ours
    if thresholds is not None and name != f"{head.name}_classes":  # at the threshold, both answers are correct
        near = np.abs(scores - np.float32(thresholds)) <= 2 * tolerance
        differs &= ~(near if differs.ndim > 1 else near[:, -1])
    rows = np.flatnonzero(differs.reshape(len(ours), -1).any(-1))
    if name != head.name or thresholds is not None:
        return len(rows)
    number = {each.encode(): i for i, each in enumerate(head.classes)}
    return sum(
        theirs[row] not in number or scores[row, number[ours[row]]] - scores[row, number[theirs[row]]] > 2 * tolerance
        for row in rows
    )
