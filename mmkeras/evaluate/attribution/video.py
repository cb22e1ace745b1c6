from mmkeras.evaluate.attribution.base import Attribution, Part


class Video(Attribution):
    """Pixels of each frame, summed over the colours; the baseline is black."""

    def part(self, spec, ready, gradient, entered, layer=None):
        values = self.products(spec, ready, gradient, entered).sum(-1)
        labels = [f"frame {i + 1}" for i in range(len(values))]
        return Part(spec.name, spec.kind, values, labels, ready[spec.name][0])
