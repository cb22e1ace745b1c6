"""Fusion: layers that make one vector of the tokens of all modalities.

Every fusion is called with two lists in the order of the specs, `tokens` [(B, T_i, D_i), ...] and `masks`
[(B, T_i) bool, ...], and returns (B, D). T_i and D_i may differ from modality to modality. An absent modality, one
whose mask is all False, gets no weight: what stands in for it is in the last column.

| fusion | sees | prefer it | an absent modality |
|---|---|---|---|
| `Concatenate` | one vector each | as the first thing to try | is zeros |
| `MLP` | one vector each | where the rule has several steps, or absence is common | is zeros, and the network is told |
| `WeightedSum` | one vector each | where all say the same; its weights can be read | leaves its share to the others |
| `Gated` | one vector each | where it depends on the example whom to trust | leaves its gates to the others |
| `Bilinear` | one vector each | where one asks and one answers; lengths differ | is the factor 1 |
| `LowRankBilinear` | one vector each | where products and single voices count | is a learned factor, 1 at first |
| `TensorFusion` | one vector each | where no combination may be missed; n <= 3 | leaves the products of the others |
| `FiLM` | every token | where one says how to read the next (serial) | passes on what conditions it |
| `Attention` | every token | where the answer lies in single words, regions or moments | has no tokens |
| `CrossAttention` | every token | where one asks and the others answer (serial) | is not asked; a learned token asks |
| `CoAttention` | every token | where each asks the others, and they are unlike | is zeros, read by none |
| `SingleStream` | every token | where any token may matter to any other, and they are few | has no tokens |
| `Bottleneck` | every token | where tokens are many, and what they exchange is little | enters no mean |
| `Perceiver` | every token | where tokens are thousands | has no tokens |

"One vector" is the mean of a modality's tokens. What they cost, where every modality is as wide as the result, D; n is
the number of modalities, T that of all their tokens; FLOPs of one example, a multiplication and addition being two;
biases, means and norms are left out. The last column is n = 3, D = 128, T = 100 and the default arguments.

| fusion | parameters | FLOPs | e.g. |
|---|---|---|---|
| `Concatenate` | n D^2 | 2 n D^2 | 49 K, 0.1 M |
| `MLP` (one hidden layer of D) | (n + 1) D^2 | 2 (n + 1) D^2 | 66 K, 0.1 M |
| `WeightedSum` | n D^2 | 2 n D^2 | 49 K, 0.1 M |
| `Gated` | (n^2 + n) D^2 | 2 (n^2 + n) D^2 | 197 K, 0.4 M |
| `Bilinear` (k factors) | k n D^2 | 2 k n D^2 | 246 K, 0.5 M |
| `LowRankBilinear` (rank r) | r n D^2 | 2 r n D^2 | 197 K, 0.4 M |
| `TensorFusion` (width w) | n w D + (w + 1)^n D | 2 n w D + 2 (w + 1)^n D | 635 K, 1.3 M |
| `FiLM` | (3 n - 2) D^2 | 2 T D^2 + 4 (n - 1) D^2 | 115 K, 3.4 M |
| `Attention` (q queries, s steps) | (n + 8 s) D^2 | (2 + 4 s) T D^2 + 12 s q D^2 + 4 s q T D | 311 K, 17.4 M |
| `CrossAttention` (s rounds) | (n + 8 s (n - 1)) D^2 | 2 T D^2 + 4 s (3 (n - 1) T_1 + U) D^2 + S | 311 K, 21.9 M |
| `CoAttention` (s layers) | (n + 16 n s) D^2 | (2 + (24 + 4 n) s) T D^2 + 4 s T^2 D | 1.6 M, 131.5 M |
| `SingleStream` (s layers) | (n + 8 s) D^2 | (2 + 16 s) T D^2 + 4 s T^2 D | 311 K, 65.9 M |
| `Bottleneck` (s layers, b bottlenecks) | (n + 8 n s) D^2 | 2 T D^2 + 16 s V D^2 + 4 s V^2 D / n | 1.2 M, 100.5 M |
| `Perceiver` (l latents, r repeats) | (n + 24) D^2 | 2 T D^2 + 4 r (T + 7 l) D^2 + R | 442 K, 33.0 M |

Of those that see every token, D is `dim`. T_1 is the number of the first one's tokens, U = T - T_1, V = T + n (b + 1);
S = 4 s T_1 U D and R = 4 r l (T + l) D. The example has equal T_i.
"""

from mmkeras.fusion.attention import Attention
from mmkeras.fusion.bilinear import Bilinear
from mmkeras.fusion.bottleneck import Bottleneck
from mmkeras.fusion.co_attention import CoAttention
from mmkeras.fusion.concatenate import Concatenate
from mmkeras.fusion.cross_attention import CrossAttention
from mmkeras.fusion.film import FiLM
from mmkeras.fusion.gated import Gated
from mmkeras.fusion.low_rank_bilinear import LowRankBilinear
from mmkeras.fusion.mlp import MLP
from mmkeras.fusion.perceiver import Perceiver
from mmkeras.fusion.single_stream import SingleStream
from mmkeras.fusion.tensor_fusion import TensorFusion
from mmkeras.fusion.weighted_sum import WeightedSum

__all__ = [
    "MLP",
    "Attention",
    "Bilinear",
    "Bottleneck",
    "CoAttention",
    "Concatenate",
    "CrossAttention",
    "FiLM",
    "Gated",
    "LowRankBilinear",
    "Perceiver",
    "SingleStream",
    "TensorFusion",
    "WeightedSum",
]
