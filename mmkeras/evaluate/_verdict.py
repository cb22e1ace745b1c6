"""Does fusion pay? Trains baselines with the same budget, and tests the model against the best of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import stats

from mmkeras.checks import check
from mmkeras.data import select_inputs
from mmkeras.evaluate._predict import predict
from mmkeras.evaluate.kinds import lower_is_better, per_example
from mmkeras.heads import Head, heads_of
from mmkeras.specs import Spec


def train_baselines(
    build: Callable[[list[Spec]], keras.Model],
    specs: Sequence[Spec],
    train: tf.data.Dataset,
    *,
    leave_one_out: bool = True,
    **fit: Any,
) -> dict[str, keras.Model]:
    """Trains a model of each modality alone, and one for each that is left out, with the same budget.

    Args:
        build: function of a list of specs -> compiled model of these inputs, made from the same branches, fusion and
            heads; it sets seeds and learning rates as for the model of all.
        specs: all specs, two or more.
        train: training batches of all inputs (`mmkeras.data.train_batches`).
        leave_one_out: also models of all modalities but one; with two modalities these are the single ones.
        **fit: of `model.fit`: epochs, callbacks, validation_data (batches of all inputs, too), ...; the same as for the
            model of all. `callbacks` may be a function of the name of the baseline that gives a list of them.

    Returns:
        Dict, name -> trained model: "photo only", ..., "without photo", ...

    Raises:
        ValueError: there is one modality only.
    """
    check(len(specs) > 1, "Baselines leave modalities out: there must be two or more.", [s.name for s in specs],
           "A model of one modality is compared by mmkeras.evaluate.report(train=...).")  # fmt: skip
    models = {}
    for name, part in _parts(specs, leave_one_out).items():
        model = build(part)
        own = {"shuffle": False} | fit  # the batches are already shuffled
        if "validation_data" in own:
            own["validation_data"] = select_inputs(own["validation_data"], model)
        if callable(own.get("callbacks")):
            own["callbacks"] = own["callbacks"](name)
        model.fit(select_inputs(train, model), **own)
        models[name] = model
    return models


def _parts(specs, leave_one_out):
    found = {f"{spec.name} only": [spec] for spec in specs}
    if leave_one_out and len(specs) > 2:
        found |= {f"without {out.name}": [spec for spec in specs if spec is not out] for out in specs}
    return found


def verdict(
    model: keras.Model,
    baselines: Mapping[str, keras.Model],
    batches: Iterable[Any],
    heads: Sequence[Head] | None = None,
    *,
    group: Any = None,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Whether a model is better than the best of its baselines, in words, with a paired test on the same examples.

    Whether fusion pays is asked of the baselines that lack an input of the model. Those that have them all, such as
    another fusion, are compared as well, in a sentence of its own.

    Answers that are right or wrong are compared by McNemar's exact test; errors of numbers, and examples that come in
    groups, by a paired bootstrap of 5,000 draws. The best baseline is chosen on the
    same examples, which is in its favour.

    Args:
        model: `keras.Model`.
        baselines: dict, name -> model that takes the same batches, or fewer of their inputs.
        batches: labelled *test* batches, in a repeatable order.
        heads: list of heads; None for those of the model.
        group: (n,) values; examples of one group are drawn together.
        level: of the interval, and 1 - level is the p from which on a difference counts.
        seed: of the draws.

    Returns:
        Dict, head name -> dict: `verdict`, one or two sentences; `pays`, True, False or None where it can't be told;
        `baseline`, name of the best one of fewer inputs; `model` and `best`, mean score of each; `difference` (above 0
        the model is better) and its `interval`, `p`, `test`; `alternative`, dict of the same of the best baseline that
        has all inputs, or None; and `rows`, dict of the mean scores of all baselines. Without baselines of fewer inputs
        `pays` is None, and the numbers are those of the alternative.

    Raises:
        ValueError: there is no baseline.

    Source: McNemar, Psychometrika 12 (1947), by the exact binomial test; Efron and Tibshirani (1993), chapter 16.
    """
    check(baselines, "A verdict needs baselines.", "none", "mmkeras.evaluate.train_baselines makes some.")
    heads, found = heads_of(model, heads), {}
    labels, outputs, weights = predict(model, batches, heads, with_weights=True)
    others = {name: predict(each, batches, heads)[1] for name, each in baselines.items()}
    fewer = [name for name, each in baselines.items() if not _inputs(each) >= _inputs(model)]
    for head in heads:
        some = slice(None) if weights is None else weights[head.name] > 0
        own, *rest = (
            per_example(head, labels[head.name][some], each[head.name][some]) for each in (outputs, *others.values())
        )
        groups = None if group is None else np.asarray(group)[some]
        compare = {"group": groups, "level": level, "seed": seed}
        found[head.name] = _verdict(head, own, dict(zip(others, rest, strict=True)), fewer, compare)
    return found


def _inputs(model):
    return set(model.input) if isinstance(model.input, dict) else {tensor.name for tensor in model.inputs}


def _verdict(head, own, others, fewer, compare):
    parts = [{name: each for name, each in others.items() if (name in fewer) is less} for less in (True, False)]
    below, beside = (_compared(head, own, part, compare) if part else None for part in parts)
    rows = {name: float(each.mean()) for name, each in others.items()}
    words = _words(head, below, beside, own, compare["level"])
    first = {"pays": None} | beside if below is None else {"pays": _better(below, compare["level"])} | below
    return {"verdict": words} | first | {"alternative": beside, "rows": rows}


def _compared(head, own, others, compare):
    """The best of some baselines, and how far the model is from it."""
    sign = -1.0 if lower_is_better(head) else 1.0
    best = max(others, key=lambda name: sign * others[name].mean())
    apart = sign * (own - others[best])
    interval, p, test = paired(apart, **compare)
    found = {"baseline": best, "model": float(own.mean()), "best": float(others[best].mean())}
    return found | {"difference": float(apart.mean()), "interval": interval, "p": p, "test": test}


def _better(found, level):
    return None if found["p"] > 1 - level else found["difference"] > 0


def paired(
    apart: np.ndarray, *, group: Any = None, level: float = 0.95, seed: int = 0, draws: int = 5000
) -> tuple[list[float], float, str]:
    """Interval of a mean difference, the p of no difference, and by which test.

    Args:
        apart: (n,) differences of the same examples; of right and wrong answers -1, 0 or 1.
        group, level, seed: as in `verdict`.
        draws: of the bootstrap.

    Example:

    >>> paired(np.repeat([1, 0, -1], [8, 90, 2]))[1:]
    (0.109375, "McNemar's exact test")
    """
    rng = np.random.default_rng(seed)
    sums, counts = apart, np.ones(len(apart))
    if group is not None:
        numbers = np.unique(np.asarray(group).astype(str), return_inverse=True)[1]
        sums, counts = np.bincount(numbers, apart), np.bincount(numbers)
    means = np.array([
        sums[rows].sum() / counts[rows].sum() for rows in (rng.integers(0, len(sums), len(sums)) for _ in range(draws))
    ])  # fmt: skip
    tail = (1 - level) / 2
    interval = [float(end) for end in np.quantile(means, [tail, 1 - tail])]
    if group is None and np.isin(apart, (-1, 0, 1)).all():
        better, worse = int((apart > 0).sum()), int((apart < 0).sum())
        p = float(stats.binomtest(better, better + worse).pvalue) if better + worse else 1.0
        return interval, p, "McNemar's exact test"
    side = min((means <= 0).mean(), (means >= 0).mean())
    return interval, float(min(1.0, 2 * max(side, 1 / draws))), "paired bootstrap"


def _words(head, below, beside, own, level):
    lines = []
    if below is not None:
        first = {
            True: "Fusion pays",
            False: "Fusion does not pay: the baseline is better",
            None: "Fusion is not shown to pay",
        }[_better(below, level)]
        lines.append(f"{first}. {_numbers(head, below, 'the best baseline', own, level)}.")
    if beside is not None:
        first = {
            True: "The model is better than the others that read all its inputs",
            False: "Another model that reads all its inputs is better",
            None: "The model and the best other one that reads all its inputs can't be told apart",
        }[_better(beside, level)]
        lines.append(f"{first}. {_numbers(head, beside, 'the best of them', own, level)}.")
    return " ".join(lines)


def _numbers(head, found, which, own, level):
    low, high = found["interval"]
    return (
        f"{head.name}: {found['model']:.4g} against {found['best']:.4g} of '{found['baseline']}', {which}, a "
        f"difference of {found['difference']:+.4g} ({low:+.4g} to {high:+.4g}, {level:.0%}) on {len(own)} examples; "
        f"{found['test']}, p = {found['p']:.2g}"
    )
