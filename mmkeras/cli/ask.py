"""Asks an exported model about one example.

    mmkeras ask saved_models/sentiment review="Lovely!" photo=1.jpg
    mmkeras ask saved_models/sentiment.tflite review=@review.txt face=0.5,1,0.25

PATH is a SavedModel (NAME/VERSION, or NAME for its highest version), a LiteRT file, or a file of `Predictor.save`.
Each input is NAME=VALUE, or NAME=@FILE for the content of a file; of pictures, sounds and videos the path alone will
do. Vectors are numbers with commas between them, or @FILE.npy. `@@` begins a text that itself begins with `@`. What may
be absent may be left out, and NAME= without a value is absent, too. Where a signature takes arrays, such as `ready`,
they are @FILE.npy, without the axis of the batch.
"""

import argparse
import json
import math
from typing import Any

from mmkeras.cli._artefacts import SERVED, find

_SHOWN = 10  # classes, numbers or identifiers of an answer
_BAR = 30  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a SavedModel, a LiteRT file or a Predictor's file")
    parser.add_argument("values", metavar="NAME=VALUE", nargs="*", help="the example: a value, or @FILE, of each input")
    parser.add_argument("--signature", default=SERVED, metavar="NAME",
                        help="of a SavedModel, such as embed_photo of an index; see `describe`")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the answers as one JSON object")


def run(args: argparse.Namespace) -> None:
    artefact = find(args.path, signature=args.signature)
    from mmkeras.cli._answering import opened
    from mmkeras.cli._values import row_of

    row = row_of(args.values, artefact.inputs)  # before TensorFlow takes seconds
    answers = {name: _plain(values.tolist()[0]) for name, values in opened(artefact)([row]).items()}
    if args.json:
        print(json.dumps(_without_nan(answers), ensure_ascii=False))
    else:
        show(answers, artefact.chosen)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _without_nan(value):
    """JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show(answers: dict[str, Any], note: str = "") -> None:
    """Prints named answers of one example: scores of classes as bars, the best first; all else as it is."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False)
    if note:
        console.print(note, style="dim")
    scored = {name.removesuffix("_classes") for name in answers if name.endswith("_classes")}
    scored = {name for name in scored if f"{name}_scores" in answers}
    for name in dict.fromkeys(_head(name, scored) for name in answers):
        if name in scored:
            _print_scores(console, name, answers)
        elif name == "identifiers":
            _print_bars(console, "identifiers", zip(answers["identifiers"], answers["scores"], strict=True))
        elif name != "scores" or "identifiers" not in answers:
            console.print(f"{name}: {_short(answers[name])}")


def _head(name, scored):
    return next((head for head in scored if name in (head, *(f"{head}_{each}" for each in _PARTS))), name)


_PARTS = ("scores", "classes", "holds")


def _print_scores(console, name, answers):
    holds = answers.get(f"{name}_holds")
    classes = answers[f"{name}_classes"]
    chosen = [each for each, hold in zip(classes, holds, strict=True) if hold] if holds else answers.get(name)
    title = f"{name}: {', '.join(chosen) or 'none of them'}" if isinstance(chosen, list) else f"{name}: {chosen}"
    ranked = sorted(zip(classes, answers[f"{name}_scores"], strict=True), key=lambda pair: -pair[1])
    _print_bars(console, name if chosen is None else title, ranked)


def _print_bars(console, title, pairs):
    from rich.table import Table
    from rich.text import Text

    pairs = list(pairs)
    console.print(title, style="bold")
    table = Table.grid(padding=(0, 1))
    for label, score in pairs[:_SHOWN]:
        share = min(max(score, 0.0), 1.0) if math.isfinite(score) else 0.0
        table.add_row("", Text(label), f"{score:.3f}", Text("━" * round(share * _BAR), "green"))
    console.print(table)
    if len(pairs) > _SHOWN:
        console.print(f"  ... and {len(pairs) - _SHOWN} more; --json prints all")


def _short(value):
    if isinstance(value, list):
        more = f", ... ({len(value)} in all; --json prints them)" if len(value) > _SHOWN else ""
        return ", ".join(map(_short, value[:_SHOWN])) + more
    return f"{value:.6g}" if isinstance(value, float) else str(value)
