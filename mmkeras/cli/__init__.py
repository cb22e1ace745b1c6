"""The `mmkeras` command: writes training scripts; looks at exports, asks them, serves them.

    mmkeras new reviews.csv --label rating -o train.py
    mmkeras describe saved_models/sentiment
    mmkeras ask saved_models/sentiment review="Lovely!" photo=1.jpg
    mmkeras predict saved_models/sentiment reviews.csv -o answers.csv
    mmkeras verify saved_models/sentiment
    mmkeras serve saved_models --port 8501
    mmkeras demo saved_models/sentiment

Each subcommand is a module of this room without an underscore, with `add_arguments(parser)` and `run(args)`; the first
line of its docstring is its help. What `run` raises as ValueError, OSError or ImportError is printed without a
traceback; what it returns is the exit status, 0 if None.

_artefacts   what lies at a path          _signatures  its raw inputs and answers
_answering   models of every format       _values      NAME=VALUE -> a raw example
_tables      tables in, tables out        _requests    the request that an export stored
new          a folder: from the columns of a table to the text of a script
"""

from mmkeras.cli.main import main

__all__ = ["main"]
