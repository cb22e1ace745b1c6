"""Builds one `keras.Model` from branches, a fusion and heads."""

from collections.abc import Mapping, Sequence

import keras

from mmkeras.contract import NamedModel
from mmkeras.heads import Head
from mmkeras.models._checks import check_fused, check_fusion
from mmkeras.models._parts import by_name, dropped, modalities, own_answers
from mmkeras.specs import Spec


def fusion_model(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    fusion: keras.layers.Layer,
    heads: Sequence[Head],
    *,
    modality_dropout: float | Mapping[str, float] = 0.0,
    auxiliary: bool = False,
    name: str = "fusion_model",
) -> NamedModel:
    """Connects branches, a fusion and heads: ready tensors by name -> answers by name.

    Args:
        specs: list of specs, in the order in which the fusion receives the modalities.
        branches: dict, spec name -> branch, a `keras.Model` from ready tensors to tokens (B, T, D) and mask (B, T).
            Specs of the same kind and size may share a branch and its weights: build it for one of them and pass it
            under each of their names.
        fusion: layer called as `fusion(tokens, masks)`, lists in the order of the specs, -> (B, D).
        heads: list of heads.
        modality_dropout: probability of dropping each modality of each example while training: one number, or a dict by
            spec name (modalities that are not named are never dropped). See `layers.ModalityDropout`.
        auxiliary: whether each modality also answers on its own, as output HEAD.SPEC. With `heads.compile_for(heads,
            auxiliary=[names of specs])` each has a loss, so that one modality that is easy to learn does not dominate
            the others. The labels are those of the heads; exports omit these outputs.
        name: name of the model.

    Returns:
        A functional `keras.Model`, dict of ready tensors -> dict of outputs by head name. Feed it exactly its inputs:
        a missing, extra, unknown or swapped key is an error that names it.

    Raises:
        TypeError: a branch is no `keras.Model`, or the fusion is a class or a name.
        ValueError: a spec has no branch, a branch has no spec, was built for another one or has no mask, the fusion
            gives no vector, or two names are equal.

    Example:

    >>> import mmkeras as mm
    >>> spec = mm.Image("photo", size=(8, 8))
    >>> branch = mm.branches.image.conv2d(spec, filters=(4,))
    >>> head = mm.heads.classification("kind", classes=["cat", "dog"])
    >>> model = mm.fusion_model([spec], {"photo": branch}, mm.fusion.Concatenate(16), [head])
    >>> list(model.input), list(model.output)
    (['photo'], ['kind'])

    Source: Wang et al., What Makes Training Multi-Modal Classification Networks Hard?, arXiv 1905.12681, section 3,
    for a loss per modality beside that of the fusion; here with fixed weights.
    """
    check_fusion(fusion)
    inputs, tokens, masks = modalities(specs, branches, heads)
    fused = fusion(tokens, dropped(specs, masks, modality_dropout))
    check_fused(fusion, fused)
    own = own_answers(specs, tokens, masks, heads) if auxiliary else {}
    outputs = {head.name: head.output(fused) for head in heads} | by_name(own)
    return NamedModel.of(inputs, outputs, specs, heads, name=name)
