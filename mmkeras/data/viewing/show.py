"""Shows examples and batches in a notebook or a browser."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from mmkeras.causes import cause_of
from mmkeras.data.files.archives import as_given
from mmkeras.data.modalities import kind_of
from mmkeras.data.viewing import page

if TYPE_CHECKING:
    from mmkeras.heads import Head


def show_examples(raw, n):
    """The first n rows of `Examples` as a `View`; a file that cannot be read or shown has the error in its cell."""
    names = [(spec, name) for spec in raw.specs for name in spec.raw if name in raw.table]
    heads = [head for head in raw.heads if head.name in raw.table]
    headings = ["", *(_heading(name, spec.kind) for spec, name in names), *_label_headings(heads)]
    rows = []
    for i in range(min(n, len(raw.frame))):
        cells = [_raw_cell(raw, spec, name, i) for spec, name in names]
        labels = [_label(head, raw.table[head.name][i]) for head in heads]
        rows.append([page.text(raw.frame.index[i]), *cells, *labels])
    told = page.note(f"{len(rows)} of {len(raw.frame):,} rows") if len(rows) < len(raw.frame) else ""
    return page.View(page.table(headings, rows) + told, f"{len(rows)} of {len(raw.frame):,} rows")


def _raw_cell(raw, spec, name, i):
    if kind_of(spec).absent(raw.table[name][i : i + 1])[0]:
        return page.note("absent")
    try:
        return kind_of(spec).html(spec, name, raw.read(tf.constant([i]), name)[name].numpy()[0])
    except tf.errors.OpError as error:
        return _fault(raw.origin(i, name), as_given(cause_of(error)))
    except Exception as error:  # from Pillow and other decoders
        return _fault(raw.origin(i, name), error)


def _fault(origin, cause):
    return f"{page.text(origin)}{page.note(f'cannot be shown: {cause}')}"


def show(
    batch: tf.data.Dataset | Mapping[str, Any] | Sequence[Any],
    preprocess: keras.Model | None = None,
    heads: Sequence["Head"] | None = None,
    *,
    n: int = 8,
) -> page.View:
    """What the model is really fed, augmented where it is: pixels, waveforms, clips, tokens, numbers and labels.

    Args:
        batch: data set of `train_batches` or `eval_batches`, of which the first batch is taken (which counts as an
            epoch that has begun); or a batch: (inputs, labels[, sample weights]), or inputs alone.
        preprocess: the model that made the batch; None for that of `train_batches` or `eval_batches`.
        heads: list of heads, which name the labels; None likewise.
        n: how many examples are shown, at most.

    Returns:
        A `View`: the last line of a notebook's cell shows it, `save(path)` writes it as HTML.

    Raises:
        ValueError: nothing says what made the batch.

    Example:

    >>> import mmkeras as mm, pandas as pd
    >>> raw = mm.data.from_dataframe(pd.DataFrame({"review": ["good", "bad"]}), [mm.Text("review")])
    >>> preprocess = mm.adapt(mm.preprocessor(raw.specs), raw, verbose=False)
    >>> mm.data.show(mm.data.eval_batches(raw, preprocess))
    View of 2 examples as the model gets them: the last line of a notebook's cell shows it; ...
    """
    preprocess = preprocess or getattr(batch, "preprocess", None)
    heads = getattr(batch, "heads", []) if heads is None else heads
    if preprocess is None:
        raise ValueError(
            "show needs the preprocess that made the batch. Received: none. Give show(batch, preprocess, heads), or "
            "the batches themselves as train_batches or eval_batches made them."
        )
    batch = next(iter(batch)) if hasattr(batch, "element_spec") else batch
    inputs, labels, weights = (*batch, {}, {})[:3] if isinstance(batch, tuple | list) else (batch, {}, {})
    inputs, labels, weights = tf.nest.map_structure(np.asarray, (inputs, labels, weights))
    specs = [spec for spec in preprocess.specs if spec.name in inputs]
    heads = [head for head in heads if head.name in labels]
    count = min(n, len(next(iter(inputs.values()))))
    headings = [*(_heading(spec.name, _shapes(spec)) for spec in specs), *_label_headings(heads)]
    rows = [
        [*(_ready_cell(spec, preprocess, inputs, i) for spec in specs),
         *(_label(head, labels[head.name][i], weights, i) for head in heads)]
        for i in range(count)
    ]  # fmt: skip
    return page.View(page.table(headings, rows), f"{count} examples as the model gets them")


def _ready_cell(spec, preprocess, inputs, i):
    ready = {name: inputs[name][i] for name in spec.ready if name in inputs}
    mask = ready.get(f"{spec.name}_mask")
    if mask is not None and not mask.any():
        return page.note("absent")
    return kind_of(spec).ready_html(spec, preprocess.get_layer(f"{spec.name}_preprocess"), ready)


def _heading(name, small):
    return f"{page.text(name)}<small>{page.text(small)}</small>"


def _shapes(spec):
    shape, dtype = spec.ready[spec.name]
    return f"{spec.kind}: {dtype} {tuple(size or 'T' for size in shape)}".replace("'", "")


def _label_headings(heads):
    return [_heading(head.name, head.kind) for head in heads]


def _label(head, label, weights=None, i=None):
    shown = head.shown(label)
    weight = page.note(f"weight {weights[head.name][i]:.3g}") if weights and head.name in weights else ""
    return f'<span class="label">{page.text(shown) or page.note("none")}</span>{weight}'
