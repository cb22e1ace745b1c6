"""Hybrid fusion: combines the answers of a fused vector and of each modality."""

from collections.abc import Mapping, Sequence

import keras

from mmkeras.contract import NamedModel
from mmkeras.heads import Head
from mmkeras.models._checks import check_fused, check_fusion
from mmkeras.models._parts import by_name, combined, dropped, modalities, own_answers
from mmkeras.specs import Spec


def hybrid_fusion_model(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    fusion: keras.layers.Layer,
    heads: Sequence[Head],
    *,
    combine: str = "learned",
    modality_dropout: float | Mapping[str, float] = 0.0,
    auxiliary: bool = True,
    name: str = "hybrid_fusion_model",
) -> NamedModel:
    """Hybrid fusion: combines the answer of the fused vector with those of the single modalities.

    Prefer it to `fusion_model` where a single modality often suffices, and to `late_fusion_model` where interactions
    matter as well.

    Args:
        specs, branches, fusion, heads, modality_dropout, name: as in `fusion_model`.
        combine: as in `late_fusion_model`; the fused answer is an additional expert, the first one.
        auxiliary: whether the modalities' own answers are outputs as well, with their own losses: compile with
            `heads.compile_for(heads, auxiliary=[names of specs])`.

    Returns:
        A functional `keras.Model`, as `fusion_model`.

    Raises:
        ValueError: as `late_fusion_model`.
    """
    check_fusion(fusion)
    inputs, tokens, masks = modalities(specs, branches, heads)
    seen = dropped(specs, masks, modality_dropout)
    fused, own = fusion(tokens, seen), own_answers(specs, tokens, masks, heads)
    check_fused(fusion, fused)
    anything = keras.ops.any(keras.ops.concatenate(seen, axis=1), axis=1, keepdims=True)
    outputs = {}
    for head in heads:
        answer = head.output(fused, f"{head.name}-of-all")
        outputs[head.name] = combined(head, combine, [answer, *own[head.name].values()], [anything, *seen])
    return NamedModel.of(inputs, outputs | (by_name(own) if auxiliary else {}), specs, heads, name=name)
