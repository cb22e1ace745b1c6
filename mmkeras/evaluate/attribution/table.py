import numpy as np

from mmkeras.evaluate.attribution.base import Attribution, Part


class Table(Attribution):
    """Columns, by their features or tokens; the baseline is a row in which each value is missing.

    The layers of tables treat each column by itself: what changes when one value goes missing belongs to that column.
    """

    layers = ("TableFeatures", "TableTokens")

    def baseline(self, spec, ready):
        mask = f"{spec.name}_mask"
        return ready | {mask: np.zeros_like(ready[mask])}

    def part(self, spec, ready, gradient, entered, layer=None):
        whole, mask, values = entered(ready), f"{spec.name}_mask", []
        for i in range(len(spec.columns)):
            without = np.array(ready[mask])
            without[:, i] = False
            values.append(float((gradient * (whole - entered(ready | {mask: without}))).sum()))
        return Part(spec.name, spec.kind, np.array(values), list(spec.columns))
