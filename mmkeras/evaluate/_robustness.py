"""How the score falls as inputs get worse."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from scipy import integrate

from mmkeras.data.progress import shown_if_slow
from mmkeras.evaluate._predict import compiled
from mmkeras.evaluate.corruptions import KINDS
from mmkeras.evaluate.drawing import COLOURS
from mmkeras.evaluate.kinds import lower_is_better, main_score
from mmkeras.heads import Head, heads_of
from mmkeras.preprocess.model import traced

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def robustness(
    model: keras.Model,
    preprocess: keras.Model,
    raw: tf.data.Dataset,
    heads: Sequence[Head] | None = None,
    *,
    reference: keras.Model | None = None,
    strengths: Sequence[float] = STRENGTHS,
    more: Mapping[str, Mapping[str, Callable[..., Any]]] | None = None,
    batch_size: int = 64,
    seed: int = 0,
    verbose: bool = True,
) -> dict[str, dict[str, Any]]:
    """The main score by the strength of each corruption of each modality, up to its absence.

    The examples are read once; every corruption is applied to each batch in turn, and only outputs are kept.

    Args:
        model: model of a builder of this package.
        preprocess: adapted model, raw -> ready.
        raw: `tf.data.Dataset` of raw examples with labels.
        heads: list of heads; None for those of the model.
        reference: another model of the same inputs, such as late fusion, for the effective robustness.
        strengths: rising numbers from 0 to 1, beginning with 0; what they mean is said in `evaluate.corruptions`.
        more: dict, name of a modality -> {name: corruption}, such as
            {"voice": {"street": evaluate.corruptions.audio.noise_of(["street.wav"])}}.
        batch_size: examples of a batch.
        seed: of the noise.
        verbose: show a progress bar.

    Returns:
        Dict, head name -> dict: `clean`, the score as it is; `lower_is_better`; `curves`, {modality: {corruption:
        curve}}, each with `strengths`, `scores`, `relative`, the area under the curve, and, with a reference,
        `effective`, the area between the curve and that of the reference, moved to begin where this one begins (above 0
        it falls less); and `absent`, dict, modality -> score without it.

    Raises:
        ValueError: strengths do not begin with 0, or do not rise.

    Source: Liang et al., MultiBench, arXiv 2107.07502, section 3.3 (there the effective robustness is the sum of these
    differences in place of the area, and both are normalised over the methods compared).
    """
    strengths = _checked(strengths)
    heads = heads_of(model, heads)
    models = [model] if reference is None else [model, reference]
    jobs = _jobs(model.specs, strengths, more or {})
    labels, outputs = _asked(models, preprocess, raw, heads, jobs, batch_size, seed, verbose)
    return {head.name: _of_head(head, jobs, labels[head.name], outputs, strengths) for head in heads}


def _checked(strengths):
    strengths = [float(each) for each in strengths]
    if len(strengths) < 2 or strengths[0] != 0 or sorted({*strengths}) != strengths or strengths[-1] > 1:
        raise ValueError(
            f"strengths must increase, from above 0 to at most 1. Received: {strengths}. Leave them out for "
            f"{list(STRENGTHS)}."
        )
    return strengths


def _jobs(specs, strengths, more):
    """List of (spec, name, strength, stage, corruption); absence is ("absent", 1)."""
    jobs = [(None, "clean", 0.0, "ready", None)]
    for spec in specs:
        kind = KINDS.get(spec.kind)
        own = {name: (kind.STAGE, change) for name, change in kind.CORRUPTIONS.items()} if kind else {}
        own |= {name: ("ready", change) for name, change in more.get(spec.name, {}).items()}
        for name, (stage, change) in own.items():
            jobs += [(spec, name, strength, stage, change) for strength in strengths[1:]]
        if f"{spec.name}_mask" in spec.ready:
            jobs.append((spec, "absent", 1.0, "ready", _absent))
    return jobs


def _absent(values, spec, strength, rng):
    mask = f"{spec.name}_mask"
    return values | {mask: np.zeros_like(values[mask])}


def _asked(models, preprocess, raw, heads, jobs, batch_size, seed, verbose):
    """Labels by head, and the outputs of each model for each job, by head."""
    calls = [compiled(model) for model in models]
    labels = {head.name: [] for head in heads}
    outputs = [[{head.name: [] for head in heads} for _ in jobs] for _ in models]
    batches = raw.batch(batch_size)
    total = int(batches.cardinality())
    for number, batch in enumerate(
        shown_if_slow(batches, "Making inputs worse", total if total > 0 else None, verbose=verbose)
    ):
        batch = {name: np.asarray(value) for name, value in batch.items()}
        ready = _ready(preprocess, batch)
        for head in heads:
            own = batch[head.name]
            labels[head.name].append(head.targets(own) if head.needs_targets else own)
        for i, job in enumerate(jobs):
            changed = _changed(preprocess, batch, ready, job, np.random.default_rng([seed, number, i]))
            for j, (model, call) in enumerate(zip(models, calls, strict=True)):
                found = call({name: tf.convert_to_tensor(changed[name]) for name in model.input})
                for head in heads:
                    outputs[j][i][head.name].append(np.asarray(found[head.name]))
    join = np.concatenate
    return ({name: join(parts) for name, parts in labels.items()},
            [[{name: join(parts) for name, parts in job.items()} for job in own] for own in outputs])  # fmt: skip


def _ready(preprocess, batch):
    raw = {name: tf.convert_to_tensor(batch[name], tensor.dtype) for name, tensor in preprocess.input.items()}
    return {name: np.asarray(value) for name, value in traced(preprocess)(raw).items()}


def _changed(preprocess, batch, ready, job, rng):
    spec, _, strength, stage, change = job
    if change is None:
        return ready
    if stage == "ready":
        return ready | change({name: ready[name] for name in spec.ready}, spec, strength, rng)
    raw = {name: batch[name] for name in preprocess.input}
    return _ready(preprocess, raw | change({name: raw[name] for name in spec.raw}, spec, strength, rng))


def _of_head(head, jobs, labels, outputs, strengths):
    there = np.asarray(head.labelled(labels))
    scores = [[main_score(head, labels[there], job[head.name][there]) for job in own] for own in outputs]
    curves, absent = {}, {}
    for spec, name in dict.fromkeys((job[0], job[1]) for job in jobs if job[0] is not None):
        places = [0] + [i for i, job in enumerate(jobs) if job[0] is spec and job[1] == name]
        rows = [[own[i] for i in places] for own in scores]
        if name == "absent":
            absent[spec.name] = rows[0][-1]
        else:
            curves.setdefault(spec.name, {})[name] = _curve(strengths, *rows)
    return {"clean": scores[0][0], "lower_is_better": lower_is_better(head), "curves": curves, "absent": absent}


def _curve(strengths, own, reference=None):
    found = {
        "strengths": strengths,
        "scores": own,
        "relative": float(integrate.trapezoid(own, strengths) / strengths[-1]),
    }
    if reference is not None:
        apart = np.array(own) - (np.array(reference) + own[0] - reference[0])
        found |= {"reference": reference, "effective": float(integrate.trapezoid(apart, strengths) / strengths[-1])}
    return found


def draw_robustness(
    found: Mapping[str, Any], path: str | PathLike[str], *, head: str | None = None
) -> str | PathLike[str]:
    """Writes one PNG of all curves, a panel for each modality; the dotted line is the score without it.

    Args:
        found: what `robustness` returned.
        path: of the PNG file.
        head: name; None for the first one.

    Returns:
        The path.
    """
    head = next(iter(found)) if head is None else head
    own = found[head]
    names = list(dict.fromkeys([*own["curves"], *own["absent"]]))
    figure = Figure(figsize=(3.6 * len(names) + 0.4, 3.8), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        for colour, (what, curve) in zip(COLOURS, own["curves"].get(name, {}).items(), strict=False):
            axes.plot(curve["strengths"], curve["scores"], "o-", ms=4, color=colour, label=what)
            if "reference" in curve:
                axes.plot(curve["strengths"], curve["reference"], "--", lw=1, color=colour, alpha=0.6)
        if name in own["absent"]:
            axes.axhline(own["absent"][name], color="#555555", ls=":", label="absent")
        axes.set(xlabel="strength", title=name)
        axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(f"{head}: main score")
    figure.savefig(path, dpi=110)
    return path
