"""Shows a page in the browser on which an exported model can be tried.

    mmkeras demo saved_models/sentiment
    mmkeras demo saved_models/sentiment.tflite --port 7861

PATH is a SavedModel (NAME/VERSION, or NAME for its highest version), a LiteRT file, or a file of `Predictor.save`. The
page has a widget for each input (text, a picture from a file or a camera, a recorded or uploaded sound, a clip,
numbers, choices), shows the answers, and has the request that the export recorded as an example. It needs
pip install "mmkeras[demo]". There is no password and no TLS: it listens on this machine only, unless --host says
otherwise. Ctrl-C ends it.
"""

import argparse
import logging
from typing import Any

from mmkeras.cli._artefacts import PREDICTOR, SAVED_MODEL, Artefact, find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a SavedModel, a LiteRT file or a Predictor's file")
    parser.add_argument("--port", type=int, help="the first free one from 7860 on by default")
    parser.add_argument("--host", default="127.0.0.1", help="this machine only by default; 0.0.0.0 for the network")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(args: argparse.Namespace) -> None:
    page = demo_page(find(args.path))
    logging.getLogger("httpx").setLevel("WARNING")  # Gradio asks its own server at the start
    page.launch(server_name=args.host, server_port=args.port, inbrowser=args.open, share=False, **appearance())


def demo_page(artefact: Artefact) -> "gradio.Blocks":  # noqa: F821 - Gradio takes seconds
    """The page of an export, which has answered its recorded request."""
    from mmkeras.demo import page

    export = served(artefact)
    _warm_up(export)
    return page(export)


def appearance() -> dict[str, Any]:
    """Arguments of `launch` that do not depend on the export."""
    from mmkeras.demo.page import style, theme

    return {"css": style(), "theme": theme(), "footer_links": [], "max_file_size": "200mb", "enable_monitoring": False}


def _warm_up(export):
    """Answers a recorded example, since the first answer of a graph takes the longest, and imports what reads files."""
    import mmkeras.data.files.transcode  # noqa: F401

    if export.examples:
        export.answer(export.examples[:1])


def served(artefact: Artefact) -> "mmkeras.demo.Served":  # noqa: F821
    """The export as the page needs it."""
    from mmkeras.cli._answering import opened
    from mmkeras.cli._requests import rows_of
    from mmkeras.demo import Served

    folder = artefact.kind == SAVED_MODEL
    name = artefact.path.parent.name if folder else artefact.path.stem
    note = f"{artefact.kind}, version {artefact.path.name}" if folder else artefact.kind
    rows = [] if artefact.kind == PREDICTOR else rows_of(artefact, artefact.read_beside("answers.json"))
    return Served(name, note, artefact.inputs, opened(artefact), rows)
