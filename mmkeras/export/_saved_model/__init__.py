"""The SavedModel that TF Serving loads: `export` writes it, `serving` what stands beside the graph."""

from mmkeras.export._saved_model.export import saved_model

__all__ = ["saved_model"]
