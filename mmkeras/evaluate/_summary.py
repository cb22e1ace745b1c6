"""The main scores of a report."""

from collections.abc import Mapping
from typing import Any

from mmkeras.evaluate.kinds import kind_of

_NUMBERS = {"accuracy": "accuracy", "interval": "accuracy_interval", "mae": "mae", "wer": "wer",
            "wer_interval": "wer_interval", "exact": "exact",
            "exact_interval": "exact_interval", "bleu": "bleu", "chrf": "chrf"}  # fmt: skip


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """The main scores of a model and its baselines; `table` shows more scores.

    Args:
        report: what `report` returned, or the content of `report.json`; its first row is the model.

    Returns:
        Dict of what there is: "accuracy" and its "interval" (95 %) for classifications, "mae" for regressions, "wer",
        its "wer_interval" and "exact" for transcriptions and generations, "bleu" and "chrf" for generations, "n"
        examples, "subsets", the main score of the same model by the inputs that are present, and "baselines", that of
        the other rows. With several heads, each of them but "n" is a dict by head, {"accuracy": {head: number}} and
        {"baselines": {row: {head: number}}}.

    Example:

    >>> kind = {"kind": "classification", "examples": 50, "accuracy": 0.9, "accuracy_interval": [0.79, 0.96]}
    >>> summary({"models": {"all": {"kind": kind}, "majority": {"kind": kind | {"accuracy": 0.5}}}})
    {'accuracy': 0.9, 'interval': [0.79, 0.96], 'n': 50, 'baselines': {'majority': 0.5}}
    """
    (name, model), *others = report["models"].items()
    found = {}
    for number, key in _NUMBERS.items():
        if any(key in scores for scores in model.values()):
            found[number] = _by_head({head: scores[key] for head, scores in model.items() if key in scores}, model)
    found["n"] = next(iter(model.values()))["examples"]
    for row, scores in others:
        part, key = ("subsets", row.removeprefix(f"{name}: ")) if row.startswith(f"{name}: ") else ("baselines", row)
        found.setdefault(part, {})[key] = _by_head({head: _main(each) for head, each in scores.items()}, model)
    return found


def _main(scores):
    return scores[kind_of(scores["kind"]).MAIN]


def _by_head(numbers, heads):
    return numbers if len(heads) > 1 else next(iter(numbers.values()))
