"""Builds models from any modalities to a sequence, for heads that read tokens."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from mmkeras.contract import NamedModel
from mmkeras.heads import Head
from mmkeras.layers import MaskedMean, ModalityTokens
from mmkeras.models._parts import dropped, modalities
from mmkeras.specs import Spec


def encoder_decoder(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    heads: Sequence[Head],
    *,
    dim: int = 128,
    modality_dropout: float | Mapping[str, float] = 0.0,
    name: str = "encoder_decoder",
) -> NamedModel:
    """Ready tensors by name -> each branch -> the tokens of all branches side by side, which every head reads.

    Captions, translation, answers in words, summaries of clips: heads of `heads.generation` read single words, regions
    and moments; a question or an instruction is a text branch like the others. Give it branches with `pool=None`,
    where they have it. There are any number of them, of any kind, and what is optional may be absent: its tokens are
    masked, and nobody reads them.

    Args:
        specs: list of specs.
        branches: dict, spec name -> branch, as in `fusion_model`.
        heads: list of heads; one that reads a vector, such as `heads.classification`, is given the mean of all tokens.
        dim: width that the tokens of all branches are brought to.
        modality_dropout: as in `fusion_model`.
        name: of the model.

    Returns:
        A functional `keras.Model`, dict of ready tensors -> dict of answers by head name; of a generation, ids (B, L).
        `fit` and `evaluate` train and judge it under teacher forcing, with the labels that they are given.

    Raises:
        ValueError: as `fusion_model`.

    Example:

    >>> import mmkeras as mm
    >>> spec = mm.Text("de", max_tokens=8, vocabulary_size=50)
    >>> branch = mm.branches.text.lstm(spec, units=16, pool=None)
    >>> head = mm.heads.generation("en", max_tokens=5, vocabulary=[" one", " two"], dim=16)
    >>> model = mm.encoder_decoder([spec], {"de": branch}, [head], dim=16)
    >>> model.output["en"].shape
    (None, 6)

    Source: Vaswani et al., arXiv 1706.03762, with the tokens of several encoders as one memory.
    """
    inputs, tokens, masks = modalities(specs, branches, heads)
    masks = dropped(specs, masks, modality_dropout)
    memory = ops.concatenate(ModalityTokens(dim, name="memory")(tokens, masks), axis=1)
    mask = ops.concatenate(masks, axis=1)
    vector = MaskedMean(name="vector")(memory, mask) if any(head.reads == "vector" for head in heads) else None
    outputs = {head.name: head.output((memory, mask) if head.reads == "tokens" else vector) for head in heads}
    return NamedModel.of(inputs, outputs, specs, heads, name=name)
