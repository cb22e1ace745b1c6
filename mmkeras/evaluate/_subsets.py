"""Evaluation of a model with subsets of its modalities."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from mmkeras.evaluate._predict import masked
from mmkeras.specs import Spec


def mask_modalities(batches: Iterable[Any], specs: Sequence[Spec], absent: Sequence[str]) -> Iterable[Any]:
    """Labelled batches in which some modalities are masked; the given batches are not changed.

    Args:
        batches: `tf.data.Dataset`, or iterable, of (inputs dict, labels dict[, weights]).
        specs: list of specs, which includes those of the modalities to mask.
        absent: names of the modalities to mask.

    Returns:
        An iterable of the batches, which can be iterated over repeatedly.

    Raises:
        ValueError: a name is not that of a spec, or the modality has no mask, so it cannot be absent.

    Example:

    >>> import mmkeras as mm
    >>> batch = {"note": np.ones((1, 2), "int32"), "note_mask": np.ones((1, 2), bool)}, {"kind": np.zeros(1)}
    >>> next(iter(mask_modalities([batch], [mm.Text("note")], ["note"])))[0]["note_mask"].tolist()
    [[False, False]]
    """
    return _Hidden(batches, mask_names(specs, absent))


def mask_names(specs, absent):
    """Names of the masks of these modalities."""
    return [_mask(specs, name) for name in absent]


class _Hidden:
    def __init__(self, batches, masks):
        self.batches, self.masks = batches, masks

    def __iter__(self):
        for x, *rest in self.batches:
            yield masked(x, self.masks), *rest


def subsets(specs: Sequence[Spec]) -> list[list[str]]:
    """Sets of modalities that may be absent, smaller ones first: never all of them, and no required image.

    All such lists for up to four modalities; for more, those of one name and the longest.

    Example:

    >>> import mmkeras as mm
    >>> subsets([mm.Text("a"), mm.Text("b"), mm.Image("c")])
    [['a'], ['b'], ['a', 'b']]
    """
    names = [spec.name for spec in specs if f"{spec.name}_mask" in spec.ready]
    most = len(names) - (len(names) == len(specs))  # at least one modality must be present
    sizes = range(1, most + 1) if len(specs) <= 4 else sorted({1, most} & set(range(1, most + 1)))
    return [list(absent) for size in sizes for absent in itertools.combinations(names, size)]


def _mask(specs, name):
    known = {spec.name: spec for spec in specs}
    key = f"{name}_mask"
    if name not in known or key not in known[name].ready:
        able = [each for each, spec in known.items() if f"{each}_mask" in spec.ready]
        raise ValueError(
            f"Only a modality with a mask can be absent. Received: {name!r}. These can: {able}. Build the spec with "
            "optional=True, and the model with it."
        )
    return key
