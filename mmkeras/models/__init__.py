"""Functional-API builders: branches, fusion and heads as one `keras.Model`."""

from mmkeras.models._fusion import fusion_model
from mmkeras.models._hybrid import hybrid_fusion_model
from mmkeras.models._late import late_fusion_model

__all__ = ["fusion_model", "hybrid_fusion_model", "late_fusion_model"]
