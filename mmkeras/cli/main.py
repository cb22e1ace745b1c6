"""`mmkeras SUBCOMMAND ...`."""

import argparse
import importlib
import logging
import sys
import textwrap
from collections.abc import Sequence

from mmkeras import __version__

COMMANDS = ("new", "describe", "ask", "predict", "verify", "serve", "demo")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand of `mmkeras`.

    Args:
        argv: its words, such as `["serve", "saved_models"]`; those of this process by default.

    Returns:
        The exit status: 0, or 1 where the subcommand refuses what it was given. Words that are no subcommand or
        option end the process with status 2, as usual with argparse.
    """
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    args = _parsed(argv)
    try:
        return args.run(args) or 0
    except (ValueError, OSError, ImportError) as error:
        if args.traceback:
            raise
        ours = isinstance(error, OSError) and error.filename is None and error.strerror  # without "[Errno 98]"
        print(f"mmkeras {args.command}: {ours or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parsed(argv):
    """The arguments. Values may also follow an option, which argparse allows of a fixed number of them only."""
    parser = _parser()
    args, others = parser.parse_known_args(argv)
    if others and ("values" not in args or any(each.startswith("-") for each in others)):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if others:
        args.values += others
    return args


class _Paragraphs(argparse.RawDescriptionHelpFormatter):
    """Wraps the paragraphs of a docstring at the width of the terminal, and leaves indented examples as they are."""

    def _fill_text(self, text, width, indent):
        parts = text.strip("\n").split("\n\n")
        return "\n\n".join(part if part.startswith(" ") else textwrap.fill(part, width) for part in parts)


def _parser():
    description = "Writes training scripts; looks at exported models, asks them, serves them."
    parser = argparse.ArgumentParser(prog="mmkeras", description=description)
    parser.add_argument("--version", action="version", version=f"mmkeras {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="SUBCOMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"mmkeras.cli.{name}")
        summary = module.__doc__.splitlines()[0]
        each = subparsers.add_parser(name, help=summary, description=module.__doc__,
                                     formatter_class=_Paragraphs)  # fmt: skip
        module.add_arguments(each)
        each.add_argument("--traceback", action="store_true", help="show the Python traceback of an error")
        each.set_defaults(run=module.run)
    return parser
