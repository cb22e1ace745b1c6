"""The `mmkeras` command: looks at exports, asks them, serves them.

    mmkeras serve saved_models --port 8501

Each subcommand is a module of this room with `add_arguments(parser)` and `run(args)`; the first line of its docstring
is its help. What `run` raises as ValueError, OSError or ImportError is printed without a traceback.
"""

from mmkeras.cli.main import main

__all__ = ["main"]
