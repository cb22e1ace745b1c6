"""Shows the inputs, answers, sizes and parity of an export.

    mmkeras describe saved_models/sentiment        the highest version
    mmkeras describe saved_models/sentiment.tflite

PATH is a SavedModel (NAME/VERSION, or NAME for its highest version), a LiteRT file, a file of `Predictor.save`, or a
`.keras` file of a model or a preprocess. Nothing is loaded: all of this is read from the files beside or inside it.
"""

import argparse

from mmkeras.cli._artefacts import KERAS, LITERT, PREDICTOR, SAVED_MODEL, SERVED, Artefact, find

_CLASSES = 20  # names that are shown of a head


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a SavedModel, or a .tflite, Predictor's or .keras file")
    parser.add_argument("--signature", default=SERVED, metavar="NAME",
                        help="of a SavedModel, whose inputs and answers are shown")  # fmt: skip


def run(args: argparse.Namespace) -> None:
    from rich.console import Console

    artefact = find(args.path, (SAVED_MODEL, LITERT, PREDICTOR, KERAS), signature=args.signature)
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]{artefact.kind}[/] {artefact.path}", f"({size(artefact)})")
    for each in (artefact.chosen, _versions(artefact), _signatures(artefact)):
        if each:
            console.print(each)
    for table in (_inputs(artefact), _answers(artefact), _parity(artefact)):
        if table is not None:
            console.print(table)


def size(artefact: Artefact) -> str:
    """Bytes of the artefact: of a SavedModel, of all its files."""
    path = artefact.path
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    total = sum(file.stat().st_size for file in files)
    return f"{total / 2**20:,.1f} MiB" if total >= 2**20 else f"{total / 1024:,.0f} KiB"


def _versions(artefact):
    record = artefact.read_beside("signature.json") if artefact.kind == SAVED_MODEL else None
    return record and "Exported with " + ", ".join(f"{name} {version}" for name, version in record["versions"].items())


def _signatures(artefact):
    others = [name for name in artefact.signatures if name != artefact.signature]
    return others and f"Signature {artefact.signature}; --signature shows one of {', '.join(others)}."


def _inputs(artefact):
    from rich.table import Table

    if not artefact.inputs:
        return None
    table = Table("input", "kind", "dtype", "shape", "may be absent", "about", title="Inputs", title_justify="left")
    for each in artefact.inputs:
        kind = each.kind if each.modality == each.name else f"{each.kind} '{each.modality}'"
        shape = ", ".join(["B", *map(str, each.shape)]) + ("" if each.shape else ",")
        table.add_row(each.name, kind, each.dtype, f"({shape})", "yes" if each.optional else "no", each.about)
    several = {each.modality: each.spec for each in artefact.inputs if each.spec and len(each.spec.raw) > 1}
    required = sorted(name for name, spec in several.items() if not spec.optional)
    if required:
        table.caption = f"At least one column of {', '.join(required)} must have a value."
    return table


def _answers(artefact):
    from rich.markup import escape
    from rich.table import Table

    if not artefact.outputs:
        return None
    table = Table("answer", "type", "classes", title="Answers", title_justify="left")
    for name, what in artefact.outputs.items():
        head = name if name in artefact.outputs and name in artefact.classes else name.removesuffix("_scores")
        classes = [] if head != name and head in artefact.outputs else artefact.classes.get(head, [])
        more = f", ... and {len(classes) - _CLASSES} more" if len(classes) > _CLASSES else ""
        table.add_row(name, escape(what), escape(", ".join(classes[:_CLASSES]) + more))
    return table


def _parity(artefact):
    """The report of the export; None where none lies beside it."""
    from rich.table import Table

    record = artefact.read_beside("parity.json") if artefact.kind in (SAVED_MODEL, LITERT) else None
    if record is None:
        return None
    table = Table(show_header=False, title="Parity with Python, at the export", title_justify="left")
    for what, value in _rows_of(record):
        if value is not None:
            table.add_row(what, str(value))
    return table


def _rows_of(parity):
    yield "examples compared", parity.get("samples")
    yield "largest difference", _largest(parity)
    yield "allowed", f"{parity['tolerance']:g}"
    agreement = parity.get("agreement", {}).get("litert", {})
    yield from ((f"same answer: {name}", f"{share:.1%}") for name, share in agreement.items())
    yield "quantised", parity.get("quantize")
    if "latency_ms" in parity:
        yield "time of a call", f"{parity['latency_ms']['litert']:.3g} ms, one thread"
    yield "examples in the index", parity.get("examples")


def _largest(parity):
    if "largest_difference" in parity:
        return f"{parity['largest_difference']:.2g}"
    return ", ".join(f"{name} {value:.2g}" for name, value in parity["max_difference"].items())
