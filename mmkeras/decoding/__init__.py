"""From what a model gives at each step to a sequence of ids; in `keras.ops`, so that it is part of what is exported."""

from mmkeras.decoding.automaton import Automaton
from mmkeras.decoding.ctc import ctc_allowed, ctc_beam_search, ctc_greedy
from mmkeras.decoding.edit_distance import edit_distance

__all__ = ["Automaton", "ctc_allowed", "ctc_beam_search", "ctc_greedy", "edit_distance"]
