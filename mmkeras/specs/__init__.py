"""What one modality looks like *raw* (as it arrives) and *ready* (what the model eats).

A spec is a frozen dataclass of plain Python values, from which all else is built: reader, preprocessing, model, export.
`raw` and `ready` give the tensors of one example by name, without the batch axis.

One rule names them all: a modality called `photo` arrives as `photo`, and is ready as `photo` and `photo_mask`. The
mask is boolean, True marks what is real; an absent modality is all False. Only a required image needs no mask.

>>> import mmkeras as mm
>>> mm.Text("review", max_tokens=16).ready
{'review': Tensor(shape=(None,), dtype='int32'), 'review_mask': Tensor(shape=(None,), dtype='bool')}
>>> mm.Image("photo", size=(96, 96), optional=True).ready
{'photo': Tensor(shape=(96, 96, 3), dtype='uint8'), 'photo_mask': Tensor(shape=(1,), dtype='bool')}
"""

from collections.abc import Sequence

from mmkeras.checks import check, check_list
from mmkeras.data_checks import kind
from mmkeras.specs.audio import Audio
from mmkeras.specs.base import Spec, Tensor, as_text
from mmkeras.specs.image import Image
from mmkeras.specs.table import Table
from mmkeras.specs.text import Text
from mmkeras.specs.vector import Vector
from mmkeras.specs.video import Video

__all__ = ["KINDS", "Audio", "Image", "Spec", "Table", "Tensor", "Text", "Vector", "Video", "as_text", "check_specs"]

KINDS = {each.kind: each for each in (Text, Image, Audio, Video, Table, Vector)}


def check_specs(specs: Sequence[Spec]) -> None:
    """Raises where two specs would meet under one raw or ready name.

    Raises:
        TypeError: a spec stands alone, not in a list; or something in the list is no spec.
        ValueError: two specs share a name, or there is none.
    """
    check_list("specs", specs)
    for spec in specs:
        if not isinstance(getattr(spec, "raw", None), dict):
            label = " Heads come after the specs." if hasattr(spec, "loss") else ""
            raise TypeError(f"specs must be a list of specs, such as mm.Text(name). Received: {kind(spec)}.{label}")
    check(specs, "At least one spec is needed.", "an empty list", "Give mm.Text(...), mm.Image(...), ...")
    for stage in ("raw", "ready"):
        names = [name for spec in specs for name in getattr(spec, stage)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        rule = f"Each {stage} name may belong to one spec only."
        check(not repeated, rule, f"{repeated} twice", "Rename one of them.")
