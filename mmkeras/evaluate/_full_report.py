"""The whole report of a multimodal model, in one call."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.contract.raw_examples import RawExamples
from mmkeras.data.progress import shown_if_slow
from mmkeras.distribute import cluster
from mmkeras.evaluate import _html as page
from mmkeras.evaluate._report import as_json
from mmkeras.evaluate.sections import SECTIONS
from mmkeras.evaluate.sections.base import Context, Missing
from mmkeras.heads import Head, heads_of


def full_report(
    model: keras.Model,
    preprocess: keras.Model,
    test: tf.data.Dataset,
    *,
    out_dir: str | PathLike[str],
    train: tf.data.Dataset | None = None,
    valid: tf.data.Dataset | None = None,
    baselines: Mapping[str, keras.Model] | None = None,
    reference: keras.Model | None = None,
    heads: Sequence[Head] | None = None,
    group: str | None = None,
    slice_by: Sequence[str] | None = None,
    fairness_by: Sequence[str] | None = None,
    sections: Sequence[str] | None = None,
    explained: int = 4,
    explained_heads: Sequence[str] | None = None,
    gallery: int = 12,
    samples: int = 200,
    strengths: Sequence[float] | None = None,
    more: Mapping[str, Mapping[str, Callable[..., Any]]] | None = None,
    batch_size: int = 64,
    cache: str | PathLike[str] | None = None,
    title: str | None = None,
    verbose: bool = True,
) -> dict[str, Any]:
    """All that is to be known of a model: `report.json`, pictures, and `report.html`, one file that needs no network.

    Sections: scores with intervals, calibration and residuals; whether fusion pays; what each modality contributes;
    robustness; slices and groups; errors to look at; single answers explained; privacy. One that fails, or has nothing
    to show, says why, and the rest goes on. A head of which no test example has a label is left out, and named. Outputs
    of the whole test part are kept in memory, inputs are not.

    Args:
        model: model of a builder of this package.
        preprocess: adapted model, raw -> ready.
        test: raw examples with labels that the model has not seen (`mm.data.Examples`).
        out_dir: folder of the files.
        train: the raw training examples: for the majority row, near-duplicates and privacy.
        valid: raw validation examples: for temperature and conformal intervals.
        baselines: dict, name -> model of the same inputs, or fewer, such as `train_baselines` makes.
        reference: model for the effective robustness, such as late fusion.
        heads: list of heads; None for those of the model.
        group: name of a column of the raw table: examples of one value are drawn together for intervals and tests.
        slice_by: names of columns; None for all that can be sliced by.
        fairness_by: names of columns whose groups are compared in their rates, for classifications.
        sections: names of the sections to make, of `evaluate.SECTIONS`; None for all.
        explained: how many answers of each head are explained.
        explained_heads: names of the heads whose answers are explained; None for all.
        gallery: how many wrong answers are shown.
        samples: of the bootstrap.
        strengths, more: as in `robustness`.
        batch_size: examples of a batch.
        cache: None decodes the files in each of the many passes; "memory" or a folder keeps the ready tensors, as in
            `mmkeras.data.eval_batches`. Robustness begins with the raw values and reads them once in any case.
        title: of the page; None takes the model's name.
        verbose: show progress bars.

    Returns:
        Dict, the content of report.json: that of `report` (so `summary` and `table` take it), `sections`, what each of
        the others found, `failed`, section -> why it could not be made, and `html`, the path of the page. Of several
        workers only the chief writes; the others have `html` None.

    Raises:
        ValueError: a section that is not known, or heads that do not fit the model.
    """
    chosen = _sections(sections)
    options = {"group": group, "slice_by": slice_by, "fairness_by": fairness_by, "explained": explained,
               "explained_heads": explained_heads, "gallery": gallery, "samples": samples, "strengths": strengths,
               "more": more, "batch_size": batch_size, "cache": cache, "verbose": verbose}  # fmt: skip
    given = test, train, valid, baselines or {}, reference, options
    with _folder(out_dir) as folder:
        context = Context(model, preprocess, heads_of(model, heads), folder, *given)
        missing = _without_unlabelled(context)
        found, failed, made = {}, {}, []
        for name in shown_if_slow(chosen, "Sections of the report", len(chosen), verbose):
            heading, make = SECTIONS[name]
            found[name], blocks = _made(make, context, failed, name)
            made.append((name, heading, [*missing, *blocks]))
        return _written(context, found, failed, made, title)


@contextlib.contextmanager
def _folder(out_dir):
    """The folder of the report; for workers other than the chief, which make the same report, a temporary one."""
    if cluster().is_chief:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
        yield Path(out_dir)
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def _without_unlabelled(context):
    """Leaves heads out of which no test example has a label; returns the blocks of the page that say so."""
    if not isinstance(context.test, RawExamples):
        return []
    names = [head.name for head in context.heads if head.name in context.test.element_spec]
    labels = context.test.columns(names) if names else {}
    without = [head.name for head in context.heads
               if head.name in labels and not np.any(head.labelled(labels[head.name]))]  # fmt: skip
    if len(without) == len(context.heads):
        return []  # every section says what it needs
    context.heads = [head for head in context.heads if head.name not in without]
    words = f"Left out, as no test example has a label of it: {', '.join(without)}."
    return [page.text(words, "note")] if without else []


def _sections(names):
    unknown = [name for name in names or () if name not in SECTIONS]
    if unknown:
        raise ValueError(f"sections= must name some of {list(SECTIONS)}. Received: {unknown}. Leave it out for all.")
    return list(SECTIONS) if names is None else list(names)


def _made(make, context, failed, name):
    """What a section gives; whatever goes wrong in it stays in it."""
    try:
        return make(context)
    except Missing as reason:
        return None, [page.text(reason, "note")]
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
        return None, [page.text(f"This section could not be made. {failed[name]}", "failed")]


def _written(context, found, failed, made, title):
    scores = found.pop("scores", None) or {"models": {}, "skipped": [], "files": []}
    path = context.out_dir / "report.html"
    html = str(path) if cluster().is_chief else None
    as_written = as_json(_plain(scores | {"sections": found, "failed": failed, "html": html}))
    text = json.dumps(as_written, indent=2, ensure_ascii=False, allow_nan=False)
    (context.out_dir / "report.json").write_text(text + "\n", encoding="utf-8")
    title = title or f"What {context.model.name} knows"
    count = len(context.test.frame) if hasattr(context.test, "frame") else None
    specs, heads = (", ".join(map(_named, each)) for each in (context.model.specs, context.heads))
    rows = f" {count:,} test examples." if count else ""
    subtitle = f"Inputs: {specs}. Answers: {heads}.{rows}"
    path.write_text(page.page(title, subtitle, made), encoding="utf-8")
    return as_written


def _named(each):
    return each.name if each.name == each.kind else f"{each.name} ({each.kind})"


def _plain(value):
    """Arrays and NumPy numbers as lists and Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return value
