"""Blocks that several branches or fusions share. Masks are explicit tensors: True marks a real token."""

from mmkeras.layers.attention_block import AttentionBlock
from mmkeras.layers.batch_norm import BatchNorm
from mmkeras.layers.combine_answers import CombineAnswers
from mmkeras.layers.decoder_block import DecoderBlock
from mmkeras.layers.global_layer_norm import GlobalLayerNorm
from mmkeras.layers.guard_empty import GuardEmpty
from mmkeras.layers.learned_tokens import LearnedTokens
from mmkeras.layers.log_mel import LogMel
from mmkeras.layers.masked_mean import MaskedMean
from mmkeras.layers.mfcc import MFCC
from mmkeras.layers.modality_dropout import ModalityDropout
from mmkeras.layers.modality_tokens import ModalityTokens
from mmkeras.layers.pool_mask import PoolMask
from mmkeras.layers.position import PositionEmbedding
from mmkeras.layers.spec_augment import SpecAugment
from mmkeras.layers.table_features import TableFeatures
from mmkeras.layers.table_tokens import TableTokens
from mmkeras.layers.temperature import Temperature
from mmkeras.layers.token_decoder import TokenDecoder
from mmkeras.layers.unit_vector import UnitVector
from mmkeras.layers.unknown_dropout import UnknownDropout

__all__ = [
    "MFCC",
    "AttentionBlock",
    "BatchNorm",
    "CombineAnswers",
    "DecoderBlock",
    "GlobalLayerNorm",
    "GuardEmpty",
    "LearnedTokens",
    "LogMel",
    "MaskedMean",
    "ModalityDropout",
    "ModalityTokens",
    "PoolMask",
    "PositionEmbedding",
    "SpecAugment",
    "TableFeatures",
    "TableTokens",
    "Temperature",
    "TokenDecoder",
    "UnitVector",
    "UnknownDropout",
]
