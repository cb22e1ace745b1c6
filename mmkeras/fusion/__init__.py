"""Fusion: layers that combine the tokens of all modalities into one vector.

Every fusion is called with two lists in the order of the specs, `tokens` [(B, T_i, D_i), ...] and `masks`
[(B, T_i) bool, ...], and returns (B, D). T_i and D_i may differ from modality to modality. An absent modality, one
whose mask is all False, gets no weight; the last column says how it is represented.

| fusion | input | prefer it | an absent modality |
|---|---|---|---|
| `Concatenate` | one vector each | as the baseline to try first | is zeros |
| `MLP` | one vector each | for non-linear rules, or where absence is common | is zeros, with a presence bit of 0 |
| `WeightedSum` | one vector each | for redundant modalities; interpretable weights | loses its weight to the others |
| `Gated` | one vector each | where reliability varies between examples | loses its gates to the others |
| `Bilinear` | one vector each | where one is a question about another; scales differ | is the factor 1 |
| `LowRankBilinear` | one vector each | for interactions and main effects | is a learned factor, initially 1 |
| `TensorFusion` | one vector each | for all interactions; n <= 3 | leaves the products of the others |
| `FiLM` | every token | where one conditions the next (serial) | passes on its condition |
| `Attention` | every token | where single words, regions or time steps matter | has no tokens |
| `CrossAttention` | every token | where one is a query about the others (serial) | is skipped, or a learned token |
| `CoAttention` | every token | where each depends on the others, and they differ | is zeros, attended by none |
| `SingleStream` | every token | where any token may interact with any other; few tokens | has no tokens |
| `Bottleneck` | every token | for many tokens with little interaction | is excluded from the means |
| `Perceiver` | every token | for thousands of tokens | has no tokens |

"One vector" is the mean of a modality's tokens. The next table lists costs where every modality has the width of the
result, D; n is the number of modalities, T the number of all their tokens. FLOPs are those of one example, counting a
multiplication and an addition as two, without biases, means and norms. The last column is for n = 3, D = 128, T = 100
and default arguments.

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

For fusions of all tokens, D is `dim`. T_1 is the number of the first modality's tokens, U = T - T_1, V = T + n (b + 1);
S = 4 s T_1 U D and R = 4 r l (T + l) D. The example has equal T_i.

Those of "every token" can also be called with `joint=True`. They then return three things: the vector, a list of joint
tokens (B, T, dim), and the list of their masks; `mm.encoder_decoder(fusion=...)` lets a decoder read them. Most give
one stream for each modality; `Attention` and `Perceiver` give their learned queries, `CrossAttention` the tokens of the
first modality. Where `keeps_tokens` is True, there is a joint token for each token, which has attended to the other
modalities, as `mm.masked_model` needs it.

`Aligned` gives joint tokens (B, T, D) and their mask, one for each time step, to `mm.transcriber`.
"""

from mmkeras.fusion.aligned import Aligned
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
    "Aligned",
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
