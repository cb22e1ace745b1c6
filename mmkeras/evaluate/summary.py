"""The few numbers of a report that are written down and compared."""

_NUMBERS = {"accuracy": "accuracy", "interval": "accuracy_interval", "mae": "mae"}


def summary(report):
    """The main score of a model, and that of the rows beside it; `table` shows more of them.

    Args:
        report: what `report` returned, or the content of `report.json`; its first row is the model.

    Returns:
        Dict of what there is: "accuracy" and its "interval" (95 %) for classifications, "mae" for regressions, "n"
        examples, and "baselines", row -> accuracy or mae in the other rows. With several heads, each of them but "n"
        is a dict by head, {"accuracy": {head: number}} and {"baselines": {row: {head: number}}}.

    >>> kind = {"kind": "classification", "examples": 50, "accuracy": 0.9, "accuracy_interval": [0.79, 0.96]}
    >>> summary({"models": {"all": {"kind": kind}, "majority": {"kind": kind | {"accuracy": 0.5}}}})
    {'accuracy': 0.9, 'interval': [0.79, 0.96], 'n': 50, 'baselines': {'majority': 0.5}}
    """
    (_, model), *others = report["models"].items()
    found = {}
    for name, key in _NUMBERS.items():
        if any(key in scores for scores in model.values()):
            found[name] = _by_head({head: scores[key] for head, scores in model.items() if key in scores}, model)
    found["n"] = next(iter(model.values()))["examples"]
    if others:
        found["baselines"] = {row: _by_head({h: _main(s) for h, s in scores.items()}, model) for row, scores in others}
    return found


def _main(scores):
    return scores["mae" if scores["kind"] == "regression" else "accuracy"]


def _by_head(numbers, heads):
    return numbers if len(heads) > 1 else next(iter(numbers.values()))
