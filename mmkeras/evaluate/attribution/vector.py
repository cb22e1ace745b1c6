from mmkeras.evaluate.attribution.base import Attribution, Part


class Vector(Attribution):
    """Each number; the baseline is zero."""

    def part(self, spec, ready, gradient, entered, layer=None):
        return Part(spec.name, spec.kind, self.products(spec, ready, gradient, entered))
