"""Losses that need no labels. Those of `dual_encoder` models compare the embeddings of a batch.

    model.compile("adam", mm.losses.InfoNCE())

| loss | takes for right | prefer it |
|---|---|---|
| `InfoNCE` | the partners in the same row | as the first thing to try; the larger the batch, the better |
| `SigLIP` | the same, each pair on its own | for batches of a few hundred and fewer; needs `dual_encoder(bias=-10.0)` |
| `SupervisedContrastive` | every view of an example of the same label | where there are labels |

The first two take `label=`, the name of a head, too: then every partner of an example of the same label is right, as
where a picture has several captions.

Under several replicas, the batch is that of all replicas together: loss and gradients equal those of one device.
Embeddings of absent modalities, which are zeros, and rows of sample weight 0 take no part.

`MaskedTokens`, `MaskedPatches` and `Matching` are those of `masked_model`, which knows them.
"""

from mmkeras.losses._contrastive import Contrastive
from mmkeras.losses.info_nce import InfoNCE
from mmkeras.losses.masked import MaskedPatches, MaskedTokens, Matching
from mmkeras.losses.siglip import SigLIP
from mmkeras.losses.supervised_contrastive import SupervisedContrastive

__all__ = [
    "Contrastive", "InfoNCE", "MaskedPatches", "MaskedTokens", "Matching", "SigLIP", "SupervisedContrastive",
]  # fmt: skip
