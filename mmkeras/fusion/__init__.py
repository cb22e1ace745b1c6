"""Fusion: layers that make one vector of the tokens of all modalities.

Every fusion is called with two lists in the order of the specs, `tokens` [(B, T_i, D_i), ...] and `masks`
[(B, T_i) bool, ...], and returns (B, D). T_i and D_i may differ from modality to modality. An absent modality, one
whose mask is all False, gets no weight.

| fusion | sees | prefer it |
|---|---|---|
| `Concatenate` | one vector per modality | as the first thing to try |
| `WeightedSum` | one vector per modality | where modalities say the same thing, or its weights are to be read |
| `Attention` | every token | where the answer lies in single words, regions or moments |
"""

from mmkeras.fusion.attention import Attention
from mmkeras.fusion.concatenate import Concatenate
from mmkeras.fusion.weighted_sum import WeightedSum

__all__ = ["Attention", "Concatenate", "WeightedSum"]
