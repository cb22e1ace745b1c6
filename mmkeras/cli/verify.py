"""Checks the files of an export, and that it answers on this machine as Python did when it was exported.

    mmkeras verify saved_models/sentiment
    mmkeras verify saved_models/sentiment.tflite

PATH is a SavedModel (NAME/VERSION, or NAME for its highest version) or a LiteRT file with the files beside it. Their
SHA-256 checksums are computed again; then the request that was stored at the export is asked, and the answers are
compared with the stored ones, within the tolerance of the export. The exit status is 1 where something differs. Of a
file of `Predictor.save` or a `.keras` file, which hold neither, the checksums of the ZIP archive are checked.
"""

import argparse
import os
import zipfile

from mmkeras.cli._artefacts import KERAS, LITERT, PREDICTOR, SAVED_MODEL, Artefact, find
from mmkeras.formats import manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a SavedModel, or a .tflite, Predictor's or .keras file")


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    artefact = find(args.path, (SAVED_MODEL, LITERT, PREDICTOR, KERAS))
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(" ".join(filter(None, [f"{artefact.kind} {artefact.path}.", artefact.chosen])))
    if artefact.kind in (PREDICTOR, KERAS):
        _check_archive(artefact)
        console.print("Files: the checksums of the ZIP archive are right. It holds no request to ask again.")
        return 0
    files, problems = _files(artefact)
    console.print(f"Files: {files}")
    if not problems:  # damaged files are not run
        answers, problems = _parity(artefact)
        console.print(f"Answers: {answers}")
    for problem in problems:
        console.print(f"  {problem}", style="red")
    return 1 if problems else 0


def _check_archive(artefact):
    try:
        with zipfile.ZipFile(artefact.path) as archive:
            bad = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        bad = str(error)
    if bad:
        raise ValueError(f"The file must be whole. Received: '{artefact.path}', damaged: {bad}. Copy or save it again.")


def _files(artefact: Artefact):
    """What is said of the checksums, and a list of sentences on what is wrong."""
    path = artefact.beside(manifest.NAME)
    if not path.is_file():
        raise FileNotFoundError(
            f"An export is checked by the files that were written with it. Received: '{artefact.path}', where there is "
            f"no '{path}'. Copy all of its files, or export it again."
        )
    root = artefact.path if artefact.kind == SAVED_MODEL else artefact.path.parent
    found = manifest.compare(path, root=root)
    problems = [f"missing: {name}" for name in found.missing]
    problems += [f"changed since the export: {name}" for name in found.changed]
    if problems:
        return f"{len(problems)} of {found.files} differ from {path.name}", problems
    return f"the checksums of {found.files} are right", []


def _parity(artefact: Artefact):
    """As `_files`, of the answers to the stored request."""
    record = artefact.read_beside("answers.json") or {"not_recorded": "the export stored no answers"}
    if "not_recorded" in record:
        return f"not compared, since {record['not_recorded']}", []
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    from mmkeras.cli._requests import asked

    received = asked(artefact, record)
    from mmkeras.export.record import compared

    largest, problems = compared(record, received)
    lines = [f"{name}: {sentence}" for name, why in problems.items() for sentence in why]
    count = len(next(iter(received.values())))
    if lines:
        return f"they differ from those of the export, on {count} examples", lines
    return (
        f"as at the export, on {count} examples; the largest difference is {max(largest.values(), default=0):.2g}, "
        f"allowed is {record['tolerance']:g}"
    ), []
