"""The model card of an export: known facts are filled in, the rest is marked as blank."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from mmkeras import __version__
from mmkeras.heads import Head

BLANK = "_To be filled in._"


def model_card(
    model: keras.Model,
    heads: Sequence[Head],
    *,
    name: str,
    report: Mapping[str, Any] | None = None,
    export: Mapping[str, Any] | None = None,
) -> str:
    """A model card in Markdown, under the headings of the field.

    Args:
        model: model of a builder of this package.
        heads: list of heads.
        name: of the model.
        report: what `evaluate.report` or `evaluate.full_report` returned; None leaves the numbers blank.
        export: dict, the report of the export; None where there is none.

    Returns:
        str.

    Example:

    >>> import mmkeras as mm
    >>> spec, head = mm.Table("row", numeric=["age"]), mm.heads.regression("price", mean=0.0, std=1.0)
    >>> branch = mm.branches.table.mlp(spec, units=(4,))
    >>> model = mm.fusion_model([spec], {"row": branch}, mm.fusion.Concatenate(4), [head])
    >>> model_card(model, [head], name="prices").splitlines()[:3]
    ['# Model card: prices', '', '## Model details']

    Source: Mitchell et al., Model Cards for Model Reporting, arXiv 1810.03993, for the headings.
    """
    sections = {
        "Model details": _details(model, heads, export),
        "Intended use": f"- Primary uses: {BLANK}\n- Primary users: {BLANK}\n- Out of scope: {BLANK}",
        "Factors": _factors(report),
        "Metrics": _metrics(heads, report),
        "Evaluation data": _evaluation(report),
        "Training data": BLANK,
        "Quantitative analyses": _scores(report),
        "Ethical considerations": BLANK,
        "Caveats and recommendations": _caveats(model, report),
    }
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"# Model card: {name}\n\n{body}\n"


def _details(model, heads, export):
    lines = [f"- Inputs: {', '.join(_input(spec) for spec in getattr(model, 'specs', ())) or BLANK}"]
    lines += [f"- Answers: {', '.join(_answer(head) for head in heads)}"]
    fusion = [type(layer).__name__ for layer in model.layers if type(layer).__module__.startswith("mmkeras.fusion")]
    lines += [f"- Fusion: {', '.join(fusion)}"] if fusion else []
    lines += [f"- Weights: {model.count_params():,}"]
    lines += [f"- Made with mmkeras {__version__}, Keras {keras.__version__}"]
    if export and "largest_difference" in export:
        lines += [f"- Largest difference of the export from Python: {export['largest_difference']:.2g}"]
    if export and export.get("quantize"):
        lines += [f"- Quantisation: {export['quantize']}"]
    return "\n".join([*lines, *(f"- {each}: {BLANK}" for each in ("Made by", "Date", "Licence", "Contact"))])


def _input(spec):
    return f"{spec.name} ({spec.kind}{', may be absent' if getattr(spec, 'optional', False) else ''})"


def _answer(head):
    return f"{head.name} ({head.kind}{f' of {len(head.classes)} classes' if head.classes else ''})"


def _factors(report):
    by = (report or {}).get("sections", {}).get("slices") or {}
    columns = sorted({row["column"] for own in by.values() for row in own["slices"]})
    return f"Scores were compared by: {', '.join(columns)}." if columns else f"Groups and conditions: {BLANK}"


def _metrics(heads, report):
    if report is None:
        return BLANK
    first = next(iter(report["models"].values()), {})
    return "\n".join(f"- {name}: {', '.join(_numbers(found))}" for name, found in first.items()) or BLANK


def _numbers(found):
    return [key for key, value in found.items() if isinstance(value, float)]


def _evaluation(report):
    first = next(iter((report or {}).get("models", {}).values()), {})
    if not first:
        return BLANK
    counts = ", ".join(f"{found['examples']:,} of {name}" for name, found in first.items())
    return f"- Labelled examples: {counts}\n- Where they are from: {BLANK}"


def _scores(report):
    if not (report or {}).get("models"):
        return BLANK
    first = next(iter(report["models"].values()))
    tables = []
    for name, found in first.items():
        keys = _numbers(found)[:6]
        rows = [[row, *(_cell(own[name].get(key)) for key in keys)] for row, own in report["models"].items()]
        lines = [[name, *keys], ["---"] * (len(keys) + 1), *rows]
        tables.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    verdicts = (report.get("sections", {}).get("fusion") or {}).values()
    return "\n\n".join([*tables, *(own["verdict"] for own in verdicts)])


def _cell(value):
    return "–" if value is None else f"{value:.4g}"


def _caveats(model, report):
    required = [spec.name for spec in getattr(model, "specs", ()) if not getattr(spec, "optional", False)]
    lines = [f"- Needs {', '.join(required)} in every request."] if required else []
    privacy = (report or {}).get("sections", {}).get("privacy") or {}
    lines += [f"- {name}: membership inference by the loss has an AUC of {own['auc']:.3f} (0.5 is chance)."
              for name, own in privacy.items()]  # fmt: skip
    return "\n".join([*lines, f"- Others: {BLANK}"])
