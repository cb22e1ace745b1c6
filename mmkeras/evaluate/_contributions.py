"""What each modality contributes to the scores of one model: exact Shapley values over what may be absent."""

import itertools
import math
from collections.abc import Iterable, Sequence
from operator import length_hint
from typing import Any

import keras
import numpy as np

from mmkeras.data.progress import shown_if_slow
from mmkeras.evaluate._predict import predict_each
from mmkeras.evaluate._subsets import mask_names
from mmkeras.evaluate.kinds import lower_is_better, main_score
from mmkeras.heads import Head, heads_of
from mmkeras.specs import Spec

_MOST_MODALITIES = 6


def contributions(
    model: keras.Model,
    batches: Iterable[Any],
    heads: Sequence[Head] | None = None,
    *,
    specs: Sequence[Spec] | None = None,
    verbose: bool = True,
) -> dict[str, dict[str, Any]]:
    """Shapley values of the modalities: what each adds to the main score, on average over the orders they may come in.

    The model is asked with every subset of the modalities present, 2 ** n times; outputs are kept, inputs are not. The
    values of a model that never saw a modality absent (`modality_dropout=0`, nothing optional) say little: it does not
    know what to make of an absent one.

    Args:
        model: model of a builder of this package.
        batches: labelled batches.
        heads: list of heads; None for those of the model.
        specs: of the modalities to divide the score among, 6 at most; the others stay present. None for all that can be
            absent.
        verbose: show a progress bar.

    Returns:
        Dict, head name -> dict:
        `modalities`, names, in the order of the arrays below;
        `values`, dict from the names that are present, joined by " + " ("" for none) to the main score;
        `shapley`, dict, name -> its value; they sum to the score with all present less that with none;
        `interactions`, dict, "A + B" -> what the pair adds beyond both apart: above 0 they complete each other, below 0
        they say the same;
        `examples`, float array (n, modalities): the same of each example, for the output that is answered when all are
        present; None where an output is no vector of numbers.

    Raises:
        ValueError: more than 6 modalities, or none that can be absent.

    Source: Shapley, A Value for n-Person Games (1953); Grabisch and Roubens, An axiomatic approach to the concept of
    interaction (1999), for the pairs.
    """
    heads, names = heads_of(model, heads), _names(model, specs)
    subsets = [subset for size in range(len(names) + 1) for subset in itertools.combinations(names, size)]
    absent = {frozenset(present): [name for name in names if name not in present] for present in subsets}
    rows = {present: (model, mask_names(model.specs, absent)) for present, absent in absent.items()}
    steps = length_hint(batches) or None
    shown = shown_if_slow(batches, "Asking with every subset of the modalities", steps, verbose)
    labels, found, weights = predict_each(rows, shown, heads)
    by_head = {}
    for head in heads:
        own = {key: outputs[head.name] for key, outputs in found.items()}
        by_head[head.name] = _of_head(head, names, labels[head.name], weights and weights[head.name], own)
    return by_head


def _names(model, specs):
    able = [spec.name for spec in model.specs if f"{spec.name}_mask" in spec.ready]
    names = able if specs is None else [spec.name for spec in specs]
    wrong = [name for name in names if name not in able]
    if wrong or not 0 < len(names) <= _MOST_MODALITIES:
        raise ValueError(
            f"Shapley values need 1 to {_MOST_MODALITIES} modalities that can be absent, {able}. Received: {names}. "
            "Give some of these in specs=; a picture can be absent where its spec says optional=True."
        )
    return names


def _of_head(head, names, labels, weights, outputs):
    some = slice(None) if weights is None else weights > 0
    kept = None if weights is None else weights[some]
    value = {key: main_score(head, labels[some], each[some], kept) for key, each in outputs.items()}
    joined = {" + ".join(name for name in names if name in key): score for key, score in value.items()}
    return {
        "modalities": names,
        "values": joined,
        "lower_is_better": lower_is_better(head),
        "shapley": {name: float(score) for name, score in shapley(names, value).items()},
        "interactions": {" + ".join(pair): float(each) for pair, each in interactions(names, value).items()},
        "examples": _each(names, outputs),
    }


def _each(names, outputs):
    every = outputs[frozenset(names)]
    if every.ndim != 2 or not np.issubdtype(every.dtype, np.floating):
        return None
    answered = every.argmax(-1)[:, None] if every.shape[-1] > 1 else np.zeros((len(every), 1), int)
    value = {key: np.take_along_axis(each, answered, 1)[:, 0].astype("float64") for key, each in outputs.items()}
    return np.stack(list(shapley(names, value).values()), -1)


def shapley(names, value):
    """Exact Shapley values.

    Args:
        names: list of the n players.
        value: dict, frozenset of names -> number or array, of all 2 ** n subsets.

    Returns:
        Dict, name -> its value.

    Example:

    >>> value = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 4.0}
    >>> shapley(["a", "b"], value)
    {'a': 1.5, 'b': 2.5}
    """
    n = len(names)
    found = {}
    for name in names:
        others = [other for other in names if other != name]
        found[name] = sum(
            math.factorial(len(s)) * math.factorial(n - len(s) - 1) / math.factorial(n)
            * (value[s | {name}] - value[s])
            for s in _subsets(others)
        )  # fmt: skip
    return found


def interactions(names, value):
    """Shapley interaction indices of all pairs; args as of `shapley`.

    Example:

    >>> value = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 4.0}
    >>> interactions(["a", "b"], value)
    {('a', 'b'): 1.0}
    """
    n = len(names)
    found = {}
    for a, b in itertools.combinations(names, 2):
        others = [other for other in names if other not in (a, b)]
        found[a, b] = sum(
            math.factorial(len(s)) * math.factorial(n - len(s) - 2) / math.factorial(n - 1)
            * (value[s | {a, b}] - value[s | {a}] - value[s | {b}] + value[s])
            for s in _subsets(others)
        )  # fmt: skip
    return found


def _subsets(names):
    return [frozenset(s) for size in range(len(names) + 1) for s in itertools.combinations(names, size)]
