"""Blocks that several branches or fusions share. Masks are explicit tensors: True marks a real token."""

from mmkeras.layers.guard_empty import GuardEmpty
from mmkeras.layers.log_mel import LogMel
from mmkeras.layers.masked_mean import MaskedMean
from mmkeras.layers.pool_mask import PoolMask
from mmkeras.layers.position import PositionEmbedding
from mmkeras.layers.spec_augment import SpecAugment
from mmkeras.layers.table_features import TableFeatures

__all__ = ["GuardEmpty", "LogMel", "MaskedMean", "PoolMask", "PositionEmbedding", "SpecAugment", "TableFeatures"]
