from typing import Any

import keras

from mmkeras.losses._contrastive import Contrastive, Rows, mean, pairs, softmax_terms


@keras.saving.register_keras_serializable("mmkeras")
class InfoNCE(Contrastive):
    """Which of all the partners in the batch is mine? Cross-entropy of that question, asked both ways.

    With unit vectors a_i, b_i of two modalities and scale s, the mean over i of -log softmax_j(s a_i b_j)_i and of
    -log softmax_j(s b_i a_j)_i; of more than two modalities, the mean over all pairs. Rows that lack one of the two
    take no part in their pair, neither as questions nor as answers.

    Args:
        label: name of a head: rows of the same label are right answers to each other, and the log softmax is the mean
            over them. None: only the own partner is right.
        chunk: rows of which the logits are computed at a time; see `losses.Contrastive`.

    Example:

    >>> round(float(InfoNCE()([np.eye(3), np.eye(3)], scale=100.0)), 4)
    0.0

    Source: van den Oord et al., arXiv 1807.03748, equation 4; symmetric, with a learned scale: Radford et al., arXiv
    2103.00020, figure 3. Several right answers: Khosla et al., arXiv 2004.11362, equation 2, across modalities.
    """

    def value(self, views: list[Rows], *, scale: Any, bias: Any) -> Any:
        found = []
        for one, other in pairs(views):
            ones, others = one.gathered(), other.gathered()
            forth = mean(self.by_rows(softmax_terms, one, others, scale, 0.0), one, ones)
            back = mean(self.by_rows(softmax_terms, other, ones, scale, 0.0), other, others)
            found.append((forth + back) / 2)
        return sum(found) / len(found)
