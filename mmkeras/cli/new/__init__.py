"""Looks at a table and its files, and writes a training script that is yours to change.

    mmkeras new reviews.csv --label rating -o train.py
    python train.py

It looks at every column of the table (CSV or TSV, .gz too; JSON lines; a JSON list) and at the files that it names,
prints what it found and why, and writes a short script that reads them, splits, trains a fused model, reports scores
beside those of a constant answer, and exports. Nothing is trained until you run the script.

What it finds: free text, pictures, sounds, clips, vectors, numbers, dates and categories, which become inputs; a column
that says which part a row belongs to (train, valid, test) or its fold; a test table beside a train table. It leaves out
columns that are constant, that number or name the rows, or that give the label away; the script says how to take each
one in all the same.

Files are looked for beside the table, in its folders and in its archives; a folder of pictures is a clip. Where a
column holds only a part of a file's name, say how the name is made:

    mmkeras new emoji.tsv --label group --files "photo=noto72.zip/{id}.png"

A label with few different values, or of text, is classified; a number with many is predicted as a number (regression);
--task says otherwise. Rows that share a file stay in one part of the split; --group says what else belongs together,
such as the recordings of a speaker.
"""

import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", help="a file with a row for each example; paths in it are relative to its folder")
    parser.add_argument("--label", action="append", required=True, metavar="COLUMN",
                        help="what the model shall predict; say it again for further ones")  # fmt: skip
    parser.add_argument("-o", "--out", default="train.py", help="the script; train.py by default")
    parser.add_argument("--overwrite", action="store_true", help="replace a script that is there")
    parser.add_argument("--task", choices=("classification", "multi-label", "regression"),
                        help="of the labels; by their values if not given")  # fmt: skip
    parser.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="a column that is no input")
    parser.add_argument("--group", metavar="COLUMN",
                        help="rows with one value of it stay in one part of the split")  # fmt: skip
    parser.add_argument("--files", action="append", default=[], metavar="NAME=PATTERN",
                        help='an input whose files are named by columns, "photo=photos.zip/{id}.png"')  # fmt: skip
    parser.add_argument("--test", metavar="TABLE",
                        help="a table of the same columns to test on; found beside one named train")  # fmt: skip
    parser.add_argument("--columns", nargs="+", metavar="NAME", help="names of the columns of a table without a header")
    parser.add_argument("--sep", help="what separates the fields of a CSV file; found by itself")
    parser.add_argument("--encoding", help="of a CSV file; UTF-8 by default")


def run(args: argparse.Namespace) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    from rich.console import Console  # what follows needs pandas, and looks into files by mmkeras.data

    from mmkeras.cli.new import looks, plans, script, shown, tables

    out, label_names = Path(args.out), list(dict.fromkeys(args.label))
    if out.exists() and not args.overwrite:
        raise FileExistsError(
            f"An existing script is not overwritten. Received: -o {out}, which exists. Give --overwrite, or another -o."
        )
    parts = tables.read(
        args.table, test=args.test, names=args.columns, sep=args.sep, encoding=args.encoding, labels=label_names
    )
    found = looks.look(parts, label_names, task=args.task, drop=args.drop, group=args.group, patterns=args.files)
    plan = plans.plan(parts, found, out.stem)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(script.text(plan, out), encoding="utf-8")
    shown.show(Console(), plan, out)
