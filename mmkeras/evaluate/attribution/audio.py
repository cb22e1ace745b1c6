import itertools

import numpy as np

from mmkeras.evaluate.attribution.base import Attribution, Part

_BINS = 64


class Audio(Attribution):
    """Bands of the log-mel spectrogram over time, or, of a branch without one, 64 stretches of time; from silence."""

    layers = ("LogMel",)

    def part(self, spec, ready, gradient, entered, layer=None):
        values, shown = self.products(spec, ready, gradient, entered), entered(ready)[0]
        if values.ndim == 1:
            ends = np.linspace(0, len(values), min(_BINS, len(values)) + 1).astype(int)
            values = np.array([values[a:b].sum() for a, b in itertools.pairwise(ends)])
        return Part(spec.name, spec.kind, values, shown=shown)
