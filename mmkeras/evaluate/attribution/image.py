from mmkeras.evaluate.attribution.base import Attribution, Part


class Image(Attribution):
    """Pixels, summed over the colours; the baseline is black."""

    def part(self, spec, ready, gradient, entered, layer=None):
        values = self.products(spec, ready, gradient, entered).sum(-1)
        return Part(spec.name, spec.kind, values, shown=ready[spec.name][0])
