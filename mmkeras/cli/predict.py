"""Answers every row of a CSV table, and writes the table with its answers.

    mmkeras predict saved_models/sentiment new.csv -o out.csv --on-error skip

PATH is a SavedModel (NAME/VERSION, or NAME for its highest version), a LiteRT file, or a file of `Predictor.save`. The
table has a column for each input; those of inputs that may be absent may be missing. A column of another name is given
by --column "review=Review Text". Paths of files are relative to the table. All columns are kept, and the answers
follow: a class NAME and its scores NAME.CLASS, a number NAME. If the table has a column of that name, such as the
label, the answer is called NAME.predicted.
"""

import argparse
from pathlib import Path

from mmkeras.cli._artefacts import find
from mmkeras.formats.status import STATUS, check_free

_LISTED = 10  # refused rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a SavedModel, a LiteRT file or a Predictor's file")
    parser.add_argument("table", metavar="TABLE.csv", help="a row for each example")
    parser.add_argument("-o", "--out", metavar="OUT.csv", required=True, help="file that is written when all is done")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.csv if it exists")
    parser.add_argument("--column", action="append", metavar="NAME=COLUMN", default=[],
                        help="the input NAME is in COLUMN of the table; say it again for further ones")  # fmt: skip
    parser.add_argument("--batch-size", type=int, default=64, help="rows that are answered together")
    parser.add_argument(
        "--on-error", choices=("raise", "skip", "absent"), default="raise",
        help="what happens to rows that cannot be used: nothing is written, or they stay in the table without an "
        "answer (skip) and with the reason in a column 'status'; with absent, what may be absent counts as missing",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    artefact, table, out = find(args.path), Path(args.table).expanduser(), Path(args.out).expanduser()
    _check(table, out, args)
    if not artefact.tells_status:
        check_free(artefact.outputs, args.on_error)
    from mmkeras.cli._answering import opened

    answer = opened(artefact)  # sets how much TensorFlow says, before it is imported below
    try:
        frame, faults, renamed, added = _answered(answer, artefact, table, args)
    except ValueError as error:  # of the data room, which is asked in Python
        raise ValueError(str(error).replace("on_error='skip'", "--on-error skip")) from error
    _write(frame, out, args.overwrite)
    for name in added:
        print(f"No column '{name}': it is absent in every row.")
    for name, other in renamed.items():
        print(f"The table has a column '{name}': the answer is in '{other}'.")
    for fault in faults[:_LISTED]:
        print(f"Refused: {fault}")
    more = f", {len(faults)} of them refused, see the column '{frame.columns[-1]}'" if faults else ""
    print(f"Written: {out}, {len(frame)} rows{more}")


def _check(table, out, args):
    if not table.is_file():
        raise FileNotFoundError(f"TABLE must be a CSV file. Received: '{table}', which does not exist.")
    if args.batch_size < 1:
        raise ValueError(f"--batch-size must be a whole number above 0. Received: {args.batch_size}.")
    if out.suffix != ".csv":
        raise ValueError(f"OUT must end in .csv. Received: '{out}'. Give '{out.with_suffix('.csv')}'.")
    if out.exists() and out.samefile(table):
        raise ValueError(f"OUT must be another file than TABLE. Received: '{out}' for both.")
    if out.is_dir() or (out.exists() and not args.overwrite):
        raise FileExistsError(
            f"An existing file is not overwritten. Received: '{out}'. Give another name, or --overwrite."
        )


def _answered(answer, artefact, table, args):
    """The table with its answers, faults in the order of the rows, renamed answers, and columns that were missing."""
    import pandas as pd

    from mmkeras.cli._tables import answered, columns_of, examples_of, joined, renamed_columns, with_all_columns
    from mmkeras.data.faults import UnusableExamples, report
    from mmkeras.data.progress import shown_if_slow
    from mmkeras.data.sources import delimited
    from mmkeras.export.predictor.absent import asked_again, optional_columns, statuses

    skip, size = args.on_error != "raise", args.batch_size
    frame, _, unread = delimited.read(table, {}, "skip" if skip else "raise")
    if not len(frame):
        raise ValueError(f"The table needs rows. Received: '{table}', which has none.")
    columns, added = with_all_columns(renamed_columns(frame, args.column, artefact.inputs), artefact.inputs)

    def ask(rows):
        try:
            examples, faults = examples_of(rows, artefact.inputs, table.parent, skip)
        except UnusableExamples as error:
            if not skip:
                raise
            return pd.DataFrame(), error.faults
        parts, batches = [], answered(answer, examples, size, skip)
        for labels, answers, refused in shown_if_slow(batches, "Predicting", -(-len(examples.frame) // size)):
            faults += refused
            parts += [pd.DataFrame(columns_of(answers, artefact.classes), index=labels)] if labels else []
        return pd.concat(parts) if parts else pd.DataFrame(), faults

    (found, faults), left_out = ask(columns), {}
    if args.on_error == "absent":
        names = optional_columns({each.modality: each.spec for each in artefact.inputs}.values())
        found, faults, left_out = asked_again(ask, columns, names, found, faults)
    if found.empty:
        raise ValueError(report([*unread, *faults]))
    faults = sorted([*unread, *faults], key=lambda fault: fault.row)
    found = found.reindex(sorted({*frame.index, *(fault.row for fault in faults)}))
    if skip or artefact.tells_status:
        own = found.pop(STATUS).fillna("") if STATUS in found else [""] * len(found)  # of an export's own on_error
        found[STATUS] = [why or each for why, each in zip(statuses(found.index, faults, left_out), own, strict=True)]
    whole, renamed = joined(frame.reindex(found.index), found)
    return whole, faults, renamed, added


def _write(frame, out, overwrite):
    from mmkeras.export.folder import new_file

    with new_file(out, ".csv", overwrite) as unfinished:
        frame.to_csv(unfinished, index=False)
