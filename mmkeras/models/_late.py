"""Late fusion: combines the answers of the modalities."""

from collections.abc import Mapping, Sequence

import keras

from mmkeras.contract import NamedModel
from mmkeras.heads import Head
from mmkeras.models._parts import by_name, combined, dropped, modalities, own_answers
from mmkeras.specs import Spec


def late_fusion_model(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    heads: Sequence[Head],
    *,
    combine: str = "mean",
    modality_dropout: float | Mapping[str, float] = 0.0,
    auxiliary: bool = False,
    name: str = "late_fusion_model",
) -> NamedModel:
    """Late fusion: each modality answers on its own, and the answers are combined.

    Prefer it where modalities are often missing or never occur together, and where each modality's answer must be
    visible. It can't learn interactions between modalities (a question about a picture): these need `fusion_model`.

    Args:
        specs, branches, heads, modality_dropout, auxiliary, name: as in `fusion_model`; the auxiliary outputs are the
            answers that are combined.
        combine: "mean", "learned" weights or "product" of experts: `layers.CombineAnswers`.

    Returns:
        A functional `keras.Model`, as `fusion_model`.

    Raises:
        ValueError: as `fusion_model`; a product of regression values.
    """
    inputs, tokens, masks = modalities(specs, branches, heads)
    own = own_answers(specs, tokens, masks, heads)
    seen = dropped(specs, masks, modality_dropout)
    outputs = {head.name: combined(head, combine, own[head.name].values(), seen) for head in heads}
    return NamedModel.of(inputs, outputs | (by_name(own) if auxiliary else {}), specs, heads, name=name)
