"""Builds models from any modalities to a sequence, for heads that read tokens."""

import inspect
from collections.abc import Mapping, Sequence

import keras
from keras import ops

from mmkeras.contract import NamedModel
from mmkeras.heads import Head
from mmkeras.layers import MaskedMean, ModalityTokens
from mmkeras.models._checks import check_fusion, check_joint
from mmkeras.models._parts import dropped, modalities
from mmkeras.specs import Spec


def encoder_decoder(
    specs: Sequence[Spec],
    branches: Mapping[str, keras.Model],
    heads: Sequence[Head],
    *,
    fusion: keras.layers.Layer | None = None,
    dim: int = 128,
    modality_dropout: float | Mapping[str, float] = 0.0,
    name: str = "encoder_decoder",
) -> NamedModel:
    """Ready tensors by name -> each branch -> the tokens of all branches side by side, which every head reads.

    Captions, translation, answers in words, summaries of clips: heads of `heads.generation` read single words, image
    regions and time steps; a question or an instruction is a text branch like the others. Give it branches with
    `pool=None`, where they have it. There are any number of them, of any kind, and what is optional may be absent: its
    tokens are masked, and not read.

    With a fusion of tokens, the heads read its joint tokens in place of the branches' own: prefer it where what a token
    means depends on another modality, or, with `fusion.Perceiver`, where there are thousands of tokens to read again
    for each word.

    Args:
        specs: list of specs.
        branches: dict, spec name -> branch, as in `fusion_model`.
        heads: list of heads; one that reads a vector, such as `heads.classification`, is given that of the fusion, or
            the mean of all tokens where there is none.
        fusion: None, for the branches' own tokens; or a layer of `mmkeras.fusion` that reads every token, such as
            `fusion.SingleStream()`, or any other that returns joint tokens (B, M, D) and their mask (B, M), such as
            `fusion.Aligned()`.
        dim: width that the tokens of all branches are projected to where there is no fusion.
        modality_dropout: as in `fusion_model`.
        name: of the model.

    Returns:
        A functional `keras.Model`, dict of ready tensors -> dict of answers by head name; of a generation, ids (B, L).
        `fit` and `evaluate` train and judge it under teacher forcing, with the labels that they are given.

    Raises:
        TypeError, ValueError: as `fusion_model`; or the fusion has no joint tokens.

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
    vector, memory, mask = _joined(fusion, tokens, masks) if fusion is not None else _side_by_side(dim, tokens, masks)
    if vector is None and any(head.reads == "vector" for head in heads):
        vector = MaskedMean(name="vector")(memory, mask)
    outputs = {head.name: head.output((memory, mask) if head.reads == "tokens" else vector) for head in heads}
    return NamedModel.of(inputs, outputs, specs, heads, name=name)


def _side_by_side(dim, tokens, masks):
    tokens = ModalityTokens(dim, name="memory")(tokens, masks)
    return None, ops.concatenate(tokens, axis=1), ops.concatenate(masks, axis=1)


def _joined(fusion, tokens, masks):
    """Vector (B, D) or None, joint tokens (B, M, D) and their mask of a fusion."""
    check_fusion(fusion)
    if "joint" in inspect.signature(getattr(fusion, "call", fusion)).parameters:
        vector, tokens, masks = fusion(tokens, masks, joint=True)
        return vector, ops.concatenate(tokens, axis=1), ops.concatenate(masks, axis=1)
    found = fusion(tokens, masks)
    check_joint(fusion, found)
    return None, *found
