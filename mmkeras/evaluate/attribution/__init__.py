"""How an answer is explained down to the parts of each modality: words, pixels, time and frequency, columns, frames.

A file for each kind of spec; `KINDS` lists them, and further kinds may be added. A kind that is not there is explained
as a whole.
"""

from mmkeras.evaluate.attribution.audio import Audio
from mmkeras.evaluate.attribution.base import Attribution, Part
from mmkeras.evaluate.attribution.image import Image
from mmkeras.evaluate.attribution.table import Table
from mmkeras.evaluate.attribution.text import Text
from mmkeras.evaluate.attribution.vector import Vector
from mmkeras.evaluate.attribution.video import Video

__all__ = ["KINDS", "Attribution", "Part", "kind_of"]

KINDS = {"text": Text(), "image": Image(), "audio": Audio(), "video": Video(), "table": Table(), "vector": Vector()}


def kind_of(spec):
    """The `Attribution` of a spec."""
    return KINDS.get(spec.kind) or Attribution()
