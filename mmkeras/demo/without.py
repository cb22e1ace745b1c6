"""The answers again with one modality left out: what each contributes, of those that may be absent.

It asks the export only, so it costs one example for each modality, and needs no gradients. It says how the answer
changes without a modality, not how much of it is due to the modality: of two that say the same, neither changes it.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from mmkeras.demo.answers import chosen, head_of, scores_of
from mmkeras.demo.values import absent


def modalities_of(row: Mapping[str, Any], inputs: Sequence[Any]) -> list[str]:
    """Names of the modalities that have a value in a row and may be absent; none if there is no other one."""
    there = {each.modality for each in inputs if not is_absent(row[each.name])}
    optional = {each.modality for each in inputs if (each.spec.optional if each.spec else each.optional)}
    return [
        name for name in dict.fromkeys(each.modality for each in inputs) if name in there & optional and there - {name}
    ]


def is_absent(value: Any) -> bool:
    return value == b"" if isinstance(value, bytes) else bool((value != value).all())  # NaN differs from itself


def without(row: Mapping[str, Any], modality: str, inputs: Sequence[Any]) -> dict[str, Any]:
    """The row with the values of a modality absent."""
    return dict(row) | {each.name: absent(each) for each in inputs if each.modality == modality}


def as_html(whole: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    """A table, a row for each modality that is left out; empty if there is none.

    Args:
        whole: the answers with all modalities.
        others: dict, modality -> the answers without it.
    """
    if not others:
        return ""
    heads = list(dict.fromkeys(head_of(name, whole) for name in whole))
    names = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    rows = "".join(_row(f"without {name}", answers, whole, heads) for name, answers in others.items())
    whole_row = _row("with all of them", whole, whole, heads)
    return f'<h3>If an input is left out</h3><table class="without"><tr><th></th>{names}</tr>{whole_row}{rows}</table>'


def _row(title, answers, whole, heads):
    cells = "".join(f"<td>{html.escape(_told(head, answers, whole))}</td>" for head in heads)
    return f'<tr><th scope="row">{html.escape(title)}</th>{cells}</tr>'


def _told(head, answers, whole):
    """The answer, and the score that it gives to the class that was answered with all modalities."""
    first = chosen(head, answers)
    best = scores_of(head, whole)
    if not best:
        return first
    label = whole.get(head, best[0][0])
    score = dict(scores_of(head, answers)).get(label)
    told = "" if score is None else f"{label} {score:.3f}"
    return told if first in ("", label) else f"{first}; {told}"
