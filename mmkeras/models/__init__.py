"""Functional-API builders: branches, fusion and heads as one `keras.Model`."""

from mmkeras.models._dual_encoder import DualEncoder, dual_encoder
from mmkeras.models._encoder_decoder import encoder_decoder
from mmkeras.models._fusion import fusion_model
from mmkeras.models._hybrid import hybrid_fusion_model
from mmkeras.models._late import late_fusion_model
from mmkeras.models._masked import MaskedModel, masked_model
from mmkeras.models._transcriber import transcriber

__all__ = [
    "DualEncoder",
    "MaskedModel",
    "dual_encoder",
    "encoder_decoder",
    "fusion_model",
    "hybrid_fusion_model",
    "late_fusion_model",
    "masked_model",
    "transcriber",
]
