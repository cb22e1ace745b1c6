"""From what a model gives at each step to a sequence of ids; in `keras.ops`, so that it is part of what is exported.

The functions `ctc_greedy`, `ctc_beam_search` and `ctc_allowed` find the labels that the outputs of all time steps spell
(CTC). These layers answer with a sequence, token by token:

| layer | answers with | prefer it |
|---|---|---|
| `Greedy` | the most probable token, again and again | as the first thing to try |
| `Beam` | the most probable of the sequences that a search keeps | where the first token may lead astray |
| `Sampling` | tokens drawn from the distribution, by numbers that are handed in | for various answers |

Every one holds a `layers.TokenDecoder`, and is called as `layer(memory, mask)` with the tokens to read, -> ids (B, L)
int32, 0 from the end on. `decode_with` gives a model another one, on the same weights.
"""

from mmkeras.decoding._edit_distance import edit_distance
from mmkeras.decoding._replace import decode_with
from mmkeras.decoding.automaton import Automaton
from mmkeras.decoding.beam import Beam
from mmkeras.decoding.ctc import ctc_allowed, ctc_beam_search, ctc_greedy
from mmkeras.decoding.greedy import Greedy
from mmkeras.decoding.sampling import Sampling, uniform

__all__ = [
    "Automaton", "Beam", "Greedy", "Sampling", "ctc_allowed", "ctc_beam_search", "ctc_greedy", "decode_with",
    "edit_distance", "uniform",
]  # fmt: skip
