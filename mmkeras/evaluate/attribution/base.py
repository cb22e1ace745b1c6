"""The interface of a modality for explaining an answer down to its parts."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class Part:
    """How much each part of one modality adds to a score.

    Args:
        name: of the modality.
        kind: of the modality.
        values: array of the attributions, one for each part: (T,) of words, (H, W) of pixels, (F, M) of time and
            frequency, (N,) of columns, (F, H, W) of frames.
        labels: names of the parts, where they have names; else None.
        shown: what the parts are drawn on: pixels, a spectrogram; None where nothing is.
    """

    name: str
    kind: str
    values: np.ndarray
    labels: list | None = None
    shown: np.ndarray | None = None

    @property
    def total(self):
        """The share of the whole modality."""
        return float(self.values.sum())


class Attribution:
    """A kind of modality; a further one puts an object like this into `mmkeras.evaluate.attribution.KINDS`.

    Where a model can be differentiated first is found in its graph: this class takes the first operation that makes
    floating-point numbers of the ready values, or the ready values themselves where they are such numbers.
    """

    layers = ()  # class names of layers to look for first

    def entry(self, operations, spec):
        """Which of the operations that read the ready values gives what is differentiated; None for the values.

        Args:
            operations: list of (operation, whether it reads whole numbers), first ones first.
            spec: the spec.
        """
        named = [operation for operation, _ in operations if type(operation).__name__ in self.layers]
        if named:
            return named[0]
        if "float" in spec.ready[spec.name].dtype:
            return None
        last = None
        for operation, whole in operations:
            if not whole:
                break
            last = operation
        return last

    def baseline(self, spec, ready):
        """The ready tensors (1, ...) of "nothing to see", of the same shapes: zeros in place of the values."""
        return {name: np.zeros_like(value) if name == spec.name else value for name, value in ready.items()}

    def part(self, spec, ready, gradient, entered, layer=None):
        """Attributions of the parts of one example.

        Args:
            spec: the spec.
            ready: its ready tensors (1, ...), arrays.
            gradient: mean gradient of the score along the path, (1, ...), of what `entry` gives.
            entered: function of ready tensors -> what `entry` gives of them, an array.
            layer: the layer of `preprocess`, None where there is none.
        """
        whole = self.products(spec, ready, gradient, entered)
        return Part(spec.name, spec.kind, whole.reshape(len(whole), -1).sum(-1))

    def products(self, spec, ready, gradient, entered):
        """Gradient times the difference from the baseline, of the one example."""
        return (gradient * (entered(ready) - entered(self.baseline(spec, ready))))[0]
