"""The same model where modalities are absent: a row of the report for every subset of them."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mmkeras.specs import Spec


def mask_modalities(batches: Iterable[Any], specs: Sequence[Spec], absent: Sequence[str]) -> Iterable[Any]:
    """Labelled batches in which some modalities are absent, as masks say it; batches and files stay as they are.

    Args:
        batches: `tf.data.Dataset`, or iterable, of (inputs dict, labels dict[, weights]).
        specs: the specs of the modalities that are to be absent are among them.
        absent: their names.

    Returns:
        An iterable of the same batches, to be gone through once or often.

    Raises:
        ValueError: a name is not that of a spec, or of one that may not be absent: it has no mask to say it with.

    Example:

    >>> import mmkeras as mm
    >>> batch = {"note": np.ones((1, 2), "int32"), "note_mask": np.ones((1, 2), bool)}, {"kind": np.zeros(1)}
    >>> next(iter(mask_modalities([batch], [mm.Text("note")], ["note"])))[0]["note_mask"].tolist()
    [[False, False]]
    """
    return _Hidden(batches, [_mask(specs, name) for name in absent])


class _Hidden:
    def __init__(self, batches, masks):
        self.batches, self.masks = batches, masks

    def __iter__(self):
        for x, *rest in self.batches:
            yield x | {mask: np.zeros(x[mask].shape, bool) for mask in self.masks}, *rest


def subsets(specs: Sequence[Spec]) -> list[list[str]]:
    """What may be absent: lists of names, fewer ones first; never all modalities, and no image that is required.

    Of up to four modalities every such list; of more, those of one name, and the longest.

    Example:

    >>> import mmkeras as mm
    >>> subsets([mm.Text("a"), mm.Text("b"), mm.Image("c")])
    [['a'], ['b'], ['a', 'b']]
    """
    names = [spec.name for spec in specs if f"{spec.name}_mask" in spec.ready]
    most = len(names) - (len(names) == len(specs))  # something has to be there
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
