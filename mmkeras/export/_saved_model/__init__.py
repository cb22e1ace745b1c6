"""The SavedModel for TF Serving: `export` writes it, `serving` writes the files next to the graph."""

from mmkeras.export._saved_model.export import saved_model

__all__ = ["saved_model"]
