from typing import Any

import keras

from mmkeras.checks import check
from mmkeras.losses._contrastive import Contrastive, Rows, mean, pairs, sigmoid_terms


@keras.saving.register_keras_serializable("mmkeras")
class SigLIP(Contrastive):
    """Do these two belong together? Binary cross-entropy of every pair in the batch.

    With unit vectors a_i, b_j of two modalities, scale s and bias c, the mean over i of -sum_j log sigmoid(z_ij (s a_i
    b_j + c)), z_ij = 1 where the two belong together and -1 elsewhere; of more than two modalities, the mean over all
    pairs. Rows that lack one of the two take no part. The model needs a bias: `dual_encoder(bias=-10.0,
    temperature=0.1)`, without which the many pairs that do not belong together outweigh the others at the beginning.

    Args:
        label: name of a head: rows of the same label belong together. None: only the own partner does.
        chunk: rows of which the logits are computed at a time; see `losses.Contrastive`.

    Example:

    >>> round(float(SigLIP()([np.eye(2), np.eye(2)], scale=0.0, bias=0.0)), 4)  # 2 log 2
    1.3863

    Source: Zhai et al., arXiv 2303.15343, equation in section 3.2.
    """

    needs_bias = True

    def value(self, views: list[Rows], *, scale: Any, bias: Any) -> Any:
        check(bias is not None, "SigLIP needs a bias.", "bias=None", "Build the model with dual_encoder(bias=-10.0).")
        found = [
            mean(self.by_rows(sigmoid_terms, one, other.gathered(), scale, bias), one, one.gathered())
            for one, other in pairs(views)
        ]
        return sum(found) / len(found)
