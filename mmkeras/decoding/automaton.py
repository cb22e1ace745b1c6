"""The set of sequences that an answer may be: a list of them, or what may occur at each place."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Automaton:
    """A graph whose paths from `begins` to `ends` are the paths of CTC that spell the allowed sequences.

    A node is a unit at its place in a sequence, or a blank between two places; it may be stayed in for any number of
    time steps. Between equal units only the way over the blank is open.

    Args:
        units: (N,) int32, the unit of each node, 0 of blanks.
        before: (N, P) int32, the nodes from which each node may be reached, itself among them; the first is repeated
            where there are fewer than P.
        begins, ends: (N,) bool, the nodes of the first and of the last time step.
    """

    units: np.ndarray
    before: np.ndarray
    begins: np.ndarray
    ends: np.ndarray

    @classmethod
    def of_sequences(cls, sequences: Sequence[Sequence[int]]) -> Self:
        """Of a list of sequences of ids; those that begin alike share their beginning.

        >>> Automaton.of_sequences([[1, 2], [1, 3]]).units.tolist()
        [0, 0, 0, 0, 1, 2, 3]
        """
        states, ends = {}, set()
        for sequence in sequences:
            state = 0
            for unit in sequence:
                state = states.setdefault((state, unit), len(states) + 1)
            ends.add(state)
        return cls._of([(source, unit, target) for (source, unit), target in states.items()], ends, len(states) + 1)

    @classmethod
    def of_places(cls, places: Sequence[Sequence[Sequence[int]]]) -> Self:
        """Of a list of places, each a list of the sequences of ids that may stand there.

        >>> Automaton.of_places([[[1], [2]], [[3]]]).units.tolist()
        [0, 0, 0, 1, 2, 3]
        """
        arcs, count = [], len(places) + 1  # state i is the one before place i
        for place, sequences in enumerate(places):
            for sequence in sequences:
                between = [*range(count, count + len(sequence) - 1)]
                arcs += zip([place, *between], sequence, [*between, place + 1], strict=True)
                count += len(between)
        return cls._of(arcs, {len(places)}, count)

    @classmethod
    def _of(cls, arcs, finals, count):
        """Builds it from arcs (state, unit, next state), the final states, and the number of states `count`."""
        into = collections.defaultdict(list)
        for i, (_, unit, target) in enumerate(arcs, count):
            into[target].append((i, unit))
        before = [[state, *(i for i, _ in into[state])] for state in range(count)]
        for i, (source, unit, _) in enumerate(arcs, count):
            before.append([i, source, *(j for j, other in into[source] if other != unit)])
        longest = max(map(len, before))
        return cls(
            units=np.array([0] * count + [unit for _, unit, _ in arcs], "int32"),
            before=np.array([row + row[:1] * (longest - len(row)) for row in before], "int32"),
            begins=np.array([state == 0 for state in range(count)] + [source == 0 for source, _, _ in arcs]),
            ends=np.array([state in finals for state in range(count)] + [target in finals for _, _, target in arcs]),
        )
