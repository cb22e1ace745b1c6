"""The script, as text."""

import os
from pathlib import Path

from mmkeras.cli.new import dividing, reading
from mmkeras.cli.new.code import WIDTH, Call, assigned, comment, quoted
from mmkeras.cli.new.plans import Plan

_HEAD = '''"""Predicts {labels}.

Written by `mmkeras new`; it is yours to change. Run it by

    python {out}
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
{pandas}import rich

import mmkeras as mm
from mmkeras.branches import {branches}

# Where the table and its files are.
data = Path({folder})
epochs, batch_size = {epochs}, {batch_size}
keras.utils.set_random_seed(0)
'''

_TRAIN = """
# Strings and files become tensors in a model of its own, which the export will hold.
preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
{adapt}ready = {{spec.name: spec for spec in preprocess.specs}}  # they know what was learned
{batches}
valid = mm.data.eval_batches(raw_valid, preprocess{cache})
test = mm.data.eval_batches(raw_test, preprocess)

# A branch for each input, a fusion, a head for each answer: a plain keras.Model.
with mm.distribute.strategy().scope():  # all GPUs of this machine, where there are any
{branches}
    fusion = {fusion}
    model = mm.fusion_model(preprocess.specs, branches, fusion, heads)
    optimizer = mm.train.adamw(train, epochs=epochs, peak=2e-3)
    model.compile(optimizer, **mm.heads.compile_for(heads))
"""

_END = """
# Started again, it goes on where it was. Remove the folder to start anew, as after a change of the model.
{best}callbacks = mm.train.callbacks("runs/{name}", train, {options})
model.fit(train, validation_data=valid, epochs=epochs, callbacks=callbacks, verbose=2)

# Scores on the test part, beside those of a constant answer ("majority").
{report}
rich.print(mm.evaluate.table(report))

# Raw values in, answers out: TF Serving loads it, `mmkeras serve saved_models` as well.
{export}
print(f"Written: {{export['path']}}, runs/{name}")
"""


_LAST = "So few rows of a class do not tell which epoch is the best: the model is that of the last one."
_IN_AND_OUT = "What goes in and what comes out. The names are the keys of a request later."
_TAKE_IN = (
    "Left out. To take a column in all the same, name it in numeric=, dates= or categorical= of a mm.Table, or give "
    'it a mm.Text; columns={"name": "Its Column"} of the reader is for names that are no identifiers.'
)


def text(plan: Plan, out: Path) -> str:
    """The script that `plan` says."""
    rooms = sorted({each.branch[0].partition(".")[0] for each in plan.inputs})
    head = _HEAD.format(
        labels=_labels(plan),
        out=os.fspath(out),
        branches=", ".join(rooms),
        folder=quoted(os.fspath(plan.tables.folder)),
        pandas="import pandas as pd\n" * reading.needs_frame(plan),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
    )
    tables = reading.frames(plan)
    parts = [
        head,
        *(["\n", tables] if tables else []),
        _specs(plan),
        reading.examples(plan),
        dividing.parts(plan),
        _train(plan),
        _end(plan),
    ]
    return "".join(parts)


def _labels(plan):
    of = " and ".join(label.column for label in plan.found.labels)
    return of if len(of) < WIDTH - 20 else "the labels"


def _specs(plan):
    spec_calls = [Call(f"mm.{each.kind.capitalize()}(", quoted(each.name), *each.arguments) for each in plan.inputs]
    heads = [_head(plan, label) for label in plan.found.labels]
    lines = [assigned("specs", Call("[", *spec_calls)), assigned("heads", Call("[", *heads)), *_left_out(plan)]
    return "\n".join(["", comment(_IN_AND_OUT), *lines, ""])


def _head(plan, label):
    name = quoted(plan.names[label.column])
    if label.task == "regression":
        return Call("mm.heads.regression(", name)
    more = ["multi_label=True"] if label.task == "multi-label" else []
    more += ["dropout=0.3"] if plan.attention else []
    return Call("mm.heads.classification(", name, f"classes={reading.classes(plan, label)}", *more)


def _left_out(plan):
    """Columns by the reason for which they are left out; those that give labels away are told how to take in."""
    reasons = {}
    for column in plan.found.columns:
        if column.kind == "out":
            reasons.setdefault(column.why, []).append(column.name)
    if not reasons:
        return []
    return [comment(_TAKE_IN), *(comment(f"- {', '.join(names)}: {why}") for why, names in reasons.items())]


def _train(plan):
    cache = ', cache="memory"' if plan.in_memory else ""
    batches = ["raw_train", "preprocess", "batch_size=batch_size", cache.removeprefix(", "), _augment(plan)]
    branches = [Call(f"{quoted(each.name)}: {each.branch[0]}(", f"ready[{quoted(each.name)}]", *each.branch[1])
                for each in plan.inputs]  # fmt: skip
    fusion = "mm.fusion.Attention(64, dropout=0.1)" if plan.attention else "mm.fusion.Concatenate(256, dropout=0.3)"
    numbers = any(label.task == "regression" for label in plan.found.labels)
    return _TRAIN.format(
        adapt="heads = mm.heads.adapt(heads, raw_train)  # mean and spread of the numbers\n" * numbers,
        batches=assigned("train", Call("mm.data.train_batches(", *batches)),
        cache=cache,
        branches=assigned("branches", Call("{", *branches), 4),
        fusion=fusion,
    )


def _augment(plan):
    calls = [Call(f"mm.augment.{each.kind}(", f"ready[{quoted(each.name)}]", *each.augment)
             for each in plan.inputs if each.augment]  # fmt: skip
    return Call("augment=[", *calls) if calls else None


def _end(plan):
    report = Call("mm.evaluate.report(", "model", "test", f'out_dir="runs/{plan.name}/report"', "train=raw_train")
    export = Call(
        "mm.export.saved_model(",
        "preprocess",
        "model",
        f'"saved_models/{plan.name}"',
        'version="next"',
        "samples=raw_test",
    )
    best, options = "", "patience=epochs"
    if plan.sparse:
        best = comment(_LAST) + "\n"
        options = f'monitor="val_{plan.names[plan.found.labels[0].column]}_accuracy", patience=None'
    return _END.format(
        name=plan.name, best=best, options=options, report=assigned("report", report), export=assigned("export", export)
    )
