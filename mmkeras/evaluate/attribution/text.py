import numpy as np

from mmkeras.evaluate.attribution.base import Attribution, Part


class Text(Attribution):
    """Words or pieces of words, by their embeddings; the baseline is the embedding of padding in each place."""

    layers = ("TokenAndPositionEmbedding", "ReversibleEmbedding", "Embedding")

    def part(self, spec, ready, gradient, entered, layer=None):
        values = self.products(spec, ready, gradient, entered).sum(-1)
        ids, count = ready[spec.name][0], int(np.asarray(ready[f"{spec.name}_mask"][0]).sum())
        words = getattr(layer, "vocabulary", None)
        labels = [str(each) if words is None else words[each] for each in ids[:count]]
        return Part(spec.name, spec.kind, np.append(values[: count - 1], values[count - 1 :].sum()), labels)
