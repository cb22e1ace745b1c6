"""Any modality finds any other: an index of embeddings, searched exactly, and classes named by phrases.

    index = mm.retrieval.Index(model, preprocess, raw, identifiers="file")
    index.search({"caption": ["a red heart"]}, find="photo").identifiers
    mm.retrieval.saved_model(index, "saved_models/search", version="next", samples=raw)

`saved_model` writes one SavedModel, raw query in, identifiers out; `litert` a file for each modality; `zero_shot` makes
a classifier of phrases, without training.
"""

from mmkeras.retrieval._export import litert, saved_model
from mmkeras.retrieval._index import Found, Index
from mmkeras.retrieval._zero_shot import zero_shot

__all__ = ["Found", "Index", "litert", "saved_model", "zero_shot"]
