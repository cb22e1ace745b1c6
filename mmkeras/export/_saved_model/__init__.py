"""The SavedModel for TF Serving: `export` writes it, `recurrent` its LSTMs, `serving` the files next to the graph."""

from mmkeras.export._saved_model.export import saved_model

__all__ = ["saved_model"]
