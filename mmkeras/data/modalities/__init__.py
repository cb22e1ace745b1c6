"""How the raw values of each modality are read: from the columns of tables, from tensors, from files.

A file for each kind of spec; `KINDS` lists them, and further kinds may be added to it.
"""

from mmkeras.data.modalities.audio import Audio
from mmkeras.data.modalities.base import Modality
from mmkeras.data.modalities.image import Image
from mmkeras.data.modalities.table import Table
from mmkeras.data.modalities.text import Text
from mmkeras.data.modalities.vector import Vector
from mmkeras.data.modalities.video import Video

__all__ = ["KINDS", "Modality", "kind_of"]

KINDS = {"text": Text(), "image": Image(), "audio": Audio(), "video": Video(), "table": Table(), "vector": Vector()}


def kind_of(spec):
    """The `Modality` of a spec."""
    return KINDS[spec.kind]
