"""Answers of one example -> HTML: scores of classes as bars, the best first; numbers and texts as they are."""

import html
import math
from collections.abc import Iterable, Mapping
from typing import Any

_SHOWN = 10  # classes, numbers or identifiers of an answer
_PARTS = ("scores", "classes", "holds", "ids")


def as_html(answers: Mapping[str, Any]) -> str:
    """The answers, a section for each head.

    Args:
        answers: dict, name of an answer -> its value for one example: str, number, or nested lists of them.
    """
    heads = dict.fromkeys(head_of(name, answers) for name in answers)
    return "".join(_section(name, answers) for name in heads)


def head_of(name: str, answers: Mapping[str, Any]) -> str:
    """The head that an answer belongs to: of "mood_scores" "mood", where there are classes of it."""
    if name == "scores" and "identifiers" in answers:
        return "identifiers"
    head, _, part = name.rpartition("_")
    other = f"{head}_classes" if part != "ids" else head
    return head if part in _PARTS and other in answers else name


def chosen(name: str, answers: Mapping[str, Any]) -> str:
    """The answer of a head in one line: the class, those that hold, a number or a text."""
    if name == "identifiers":
        return str(next(iter(answers["identifiers"]), ""))
    holds = answers.get(f"{name}_holds")
    if holds is not None:
        classes = answers[f"{name}_classes"]
        return ", ".join(each for each, hold in zip(classes, holds, strict=True) if hold) or "none of them"
    if name not in answers:  # several classes at once, without thresholds
        return ""
    return short(answers[name])


def scores_of(name: str, answers: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Pairs of a class, or identifier, and its score, the best first; none of a head without classes."""
    if name == "identifiers":
        return list(zip(answers["identifiers"], answers["scores"], strict=True))
    if f"{name}_classes" not in answers:
        return []
    pairs = zip(answers[f"{name}_classes"], answers[f"{name}_scores"], strict=True)
    return sorted(pairs, key=lambda pair: -pair[1])


def short(value: Any) -> str:
    """A value in a line; of a long list the first numbers."""
    if isinstance(value, list):
        more = f", ... ({len(value)} in all)" if len(value) > _SHOWN else ""
        return ", ".join(map(short, value[:_SHOWN])) + more
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _section(name, answers):
    title, pairs = chosen(name, answers), scores_of(name, answers)
    text = f'<div class="answer">{html.escape(title)}</div>' if title else ""
    return f'<section class="head"><h3>{html.escape(name)}</h3>{text}{_bars(pairs)}</section>'


def _bars(pairs: Iterable[tuple[str, float]]):
    pairs = list(pairs)
    if not pairs:
        return ""
    rows = "".join(_bar(label, score) for label, score in pairs[:_SHOWN])
    more = f'<p class="more">and {len(pairs) - _SHOWN} more</p>' if len(pairs) > _SHOWN else ""
    return f'<table class="bars">{rows}</table>{more}'


def _bar(label, score):
    share = min(max(score, 0.0), 1.0) if math.isfinite(score) else 0.0
    return (
        f'<tr><th scope="row">{html.escape(str(label))}</th>'
        f'<td><div class="bar" style="width:{share:.1%}"></div></td><td class="score">{score:.3f}</td></tr>'
    )
