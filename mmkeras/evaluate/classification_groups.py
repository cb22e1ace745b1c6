"""Fairness of a classification: rates for each group, and their gaps."""

from typing import Any

import numpy as np

from mmkeras.heads import Head


def fairness(head: Head, labels: Any, outputs: Any, *, group: Any) -> dict[str, Any]:
    """Rates of each group, and the largest gap of each rate between groups.

    Args:
        head: a classification head.
        labels: encoded, (n,) or (n, N).
        outputs: probabilities (n, N).
        group: (n,) values, such as a column of the raw table.

    Returns:
        Dict, class -> {"groups": {value: {"examples", "selected", "true_positive", "false_positive", "precision"}},
        "gaps": {rate: largest minus smallest}}; a rate that is not defined in a group is None, and left out of its gap.
        The gap of "selected" is the demographic parity difference; the larger one of "true_positive" and
        "false_positive" is the equalized odds difference. Of two classes, only the second one is listed.

    Raises:
        ValueError: another kind of head, or `group` has another length.

    Example:

    >>> from mmkeras import heads
    >>> loan = heads.classification("loan", classes=["no", "yes"])
    >>> found = fairness(loan, [1, 1, 0, 1], [[0, 1], [0, 1], [1, 0], [1, 0]], group=["a", "a", "b", "b"])
    >>> found["yes"]["gaps"]["selected"], found["yes"]["groups"]["b"]["true_positive"]
    (1.0, 0.0)

    Source: Hardt et al., Equality of Opportunity in Supervised Learning, arXiv 1610.02413, definitions 2.1 and 2.2.
    """
    if head.kind != "classification" or len(group) != len(labels):
        raise ValueError(
            "Rates by group need a classification head, and one group per example. Received: a head of kind "
            f"{head.kind!r}, {len(group)} groups, {len(labels)} labels. For other heads, evaluate.slices gives the "
            "gaps."
        )
    answers = np.asarray(head.chosen(np.asarray(outputs, "float32")))
    truth = np.asarray(labels) > 0 if head.multi_label else np.eye(len(head.classes), dtype=bool)[np.asarray(labels)]
    answers = answers.astype(bool) if head.multi_label else np.eye(len(head.classes), dtype=bool)[answers]
    listed = [1] if len(head.classes) == 2 and not head.multi_label else range(len(head.classes))
    group = np.asarray(group).astype(str)
    return {head.classes[i]: _rates_by(truth[:, i], answers[:, i], group) for i in listed}


def _rates_by(truth, answers, group):
    groups = {str(name): _rates(truth[group == name], answers[group == name]) for name in np.unique(group)}
    gaps = {}
    for rate in ("selected", "true_positive", "false_positive", "precision"):
        known = [found[rate] for found in groups.values() if found[rate] is not None]
        gaps[rate] = max(known) - min(known) if len(known) > 1 else None
    return {"groups": groups, "gaps": gaps}


def _rates(truth, answers):
    return {
        "examples": len(truth),
        "selected": _share(answers),
        "true_positive": _share(answers[truth]),
        "false_positive": _share(answers[~truth]),
        "precision": _share(truth[answers]),
    }


def _share(values):
    return float(values.mean()) if len(values) else None
