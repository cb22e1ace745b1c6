"""Functional-API builders: branches, fusion and heads as one `keras.Model`."""

import keras
import numpy as np

from mmkeras.checks import did_you_mean
from mmkeras.contract import NamedModel, auxiliary_name
from mmkeras.heads import check_heads
from mmkeras.layers import CombineAnswers, MaskedMean, ModalityDropout
from mmkeras.specs import check_specs


def fusion_model(specs, branches, fusion, heads, modality_dropout=0.0, auxiliary=False, name="fusion_model"):
    """Ready tensors by name -> each branch -> fusion -> each head: answers by name.

    Args:
        specs: list of specs; its order is that of the lists the fusion gets.
        branches: dict, spec name -> branch, a `keras.Model` from ready tensors to tokens (B, T, D) and mask (B, T).
            Specs of one kind and size may share a branch, and so its weights: it is built for one of them and given
            under each of their names.
        fusion: layer called as `fusion(tokens, masks)`, lists in the order of the specs, -> (B, D).
        heads: list of heads.
        modality_dropout: chance of each modality of each example to be hidden while training: one number, or a dict by
            spec name, where those that are not named always stay. See `layers.ModalityDropout`.
        auxiliary: each modality also answers on its own, as output HEAD.SPEC. With
            `heads.compile_for(heads, auxiliary=[names of specs])` each has a loss, so that one modality that learns
            fast does not keep the others from learning. The labels are those of the heads; exports leave these out.
        name: of the model.

    Returns:
        A functional `keras.Model`, dict of ready tensors -> dict of outputs by head name. Feed it exactly its inputs:
        a missing, extra, unknown or swapped key is an error that names it.

    Raises:
        ValueError: a spec has no branch, a branch no spec, a branch was built for another spec, or two names meet.

    Source: Wang et al., What Makes Training Multi-Modal Classification Networks Hard?, arXiv 1905.12681, section 3,
    for a loss per modality beside that of the fusion; here with fixed weights.

    >>> import mmkeras as mm
    >>> spec = mm.Image("photo", size=(8, 8))
    >>> branch = mm.branches.image.conv2d(spec, filters=(4,))
    >>> head = mm.heads.classification("kind", classes=["cat", "dog"])
    >>> model = mm.fusion_model([spec], {"photo": branch}, mm.fusion.Concatenate(16), [head])
    >>> list(model.input), list(model.output)
    (['photo'], ['kind'])
    """
    inputs, tokens, masks = _modalities(specs, branches, heads)
    fused = fusion(tokens, _dropped(specs, masks, modality_dropout))
    own = _own_answers(specs, tokens, masks, heads) if auxiliary else {}
    outputs = {head.name: head.output(fused) for head in heads} | _by_name(own)
    return NamedModel.of(inputs, outputs, specs, heads, name)


def late_fusion_model(specs, branches, heads, combine="mean", modality_dropout=0.0, auxiliary=False,
                      name="late_fusion_model"):  # fmt: skip
    """Late fusion, at the level of decisions: each modality answers on its own, then the answers are combined.

    Prefer it where modalities are often missing or never seen together, and where it must be seen which one said
    what. It can't learn what lies in no single modality (a question about a picture): that needs `fusion_model`.

    Args:
        specs, branches, heads, modality_dropout, auxiliary, name: as in `fusion_model`; the auxiliary outputs are the
            very answers that are combined.
        combine: "mean", "learned" weights or "product" of experts: `layers.CombineAnswers`.

    Returns:
        A functional `keras.Model`, as `fusion_model`.

    Raises:
        ValueError: as `fusion_model`; a product of regression values.
    """
    inputs, tokens, masks = _modalities(specs, branches, heads)
    own = _own_answers(specs, tokens, masks, heads)
    seen = _dropped(specs, masks, modality_dropout)
    outputs = {head.name: _combined(head, combine, own[head.name].values(), seen) for head in heads}
    return NamedModel.of(inputs, outputs | (_by_name(own) if auxiliary else {}), specs, heads, name)


def hybrid_fusion_model(specs, branches, fusion, heads, combine="learned", modality_dropout=0.0, auxiliary=True,
                        name="hybrid_fusion_model"):  # fmt: skip
    """Hybrid fusion: the fused vector answers, every modality answers on its own, and all these answers are combined.

    Prefer it to `fusion_model` where single modalities often suffice, and to `late_fusion_model` where they don't
    always.

    Args:
        specs, branches, fusion, heads, modality_dropout, name: as in `fusion_model`.
        combine: as in `late_fusion_model`; the fused answer is one more expert, the first one.
        auxiliary: the modalities' own answers are outputs, too, for losses of their own: compile with
            `heads.compile_for(heads, auxiliary=[names of specs])`.

    Returns:
        A functional `keras.Model`, as `fusion_model`.

    Raises:
        ValueError: as `late_fusion_model`.
    """
    inputs, tokens, masks = _modalities(specs, branches, heads)
    seen = _dropped(specs, masks, modality_dropout)
    fused, own = fusion(tokens, seen), _own_answers(specs, tokens, masks, heads)
    anything = keras.ops.any(keras.ops.concatenate(seen, axis=1), axis=1, keepdims=True)
    outputs = {}
    for head in heads:
        answer = head.output(fused, f"{head.name}-of-all")
        outputs[head.name] = _combined(head, combine, [answer, *own[head.name].values()], [anything, *seen])
    return NamedModel.of(inputs, outputs | (_by_name(own) if auxiliary else {}), specs, heads, name)


def _modalities(specs, branches, heads):
    """Symbolic inputs by name, and the tokens and masks of every branch, in the order of the specs."""
    check_specs(specs)
    check_heads(heads)
    _check_branches(specs, branches)
    inputs = {
        key: keras.Input(shape, dtype=dtype, name=key) for spec in specs for key, (shape, dtype) in spec.ready.items()
    }
    pairs = [branches[spec.name](_for_branch(branches, spec, inputs)) for spec in specs]
    tokens, masks = map(list, zip(*pairs, strict=True))
    return inputs, tokens, masks


def _for_branch(branches, spec, inputs):
    """The inputs of one spec under the names that its branch gave them: a shared one was built for another spec."""
    branch, own = branches[spec.name], {key: inputs[key] for key in spec.ready}
    names = list(branch.input) if isinstance(branch.input, dict) else list(own)
    shared = [name for name, other in branches.items() if other is branch]
    fits = len(names) == len(own) and all(
        tensor.dtype == wanted.dtype and tensor.shape == wanted.shape
        for tensor, wanted in zip(own.values(), keras.tree.flatten([branch.input]), strict=True)
    )
    if set(names) != set(own) and not (fits and len(shared) > 1):
        raise ValueError(
            f"A branch takes the ready tensors of the spec it was built for; specs share one only where these are "
            f"alike. Received: for spec '{spec.name}', {list(own)}, a branch that takes {names}, under the name(s) "
            f"{shared}. Build one for '{spec.name}', or make the specs alike."
        )
    return own if set(names) == set(own) else dict(zip(names, own.values(), strict=True))


def _dropped(specs, masks, rate):
    if isinstance(rate, dict):
        names = [spec.name for spec in specs]
        unknown = [f"{name!r} {did_you_mean(name, names)}".strip() for name in rate if name not in names]
        if unknown:
            raise ValueError(f"modality_dropout names specs. Received: {unknown}. Specs: {names}.")
        rate = [rate.get(name, 0.0) for name in names]
    return ModalityDropout(rate, name="modality_dropout")(masks) if np.any(rate) else masks


def _own_answers(specs, tokens, masks, heads):
    """Head name -> {name of the output: answer of one modality from the mean of its tokens}, in the order of specs.

    Hidden by modality dropout or not, a modality answers with what it has. An absent one has a bias to answer with,
    which its loss teaches what is frequent where it is absent.
    """
    vectors = [MaskedMean(name=f"{spec.name}_vector")(*pair) for spec, *pair in zip(specs, tokens, masks, strict=True)]
    found = {head.name: {} for head in heads}
    for head in heads:
        for spec, vector in zip(specs, vectors, strict=True):
            name = auxiliary_name(head.name, spec.name)
            found[head.name][name] = head.output(vector, name)
    return found


def _by_name(answers):
    return {name: answer for several in answers.values() for name, answer in several.items()}


def _combined(head, how, answers, masks):
    return CombineAnswers(how, head.activation, name=head.name)(list(answers), masks)


def _check_branches(specs, branches):
    names = [spec.name for spec in specs]
    missing = [name for name in names if name not in branches]
    extra = [f"{name!r} {did_you_mean(name, names)}".strip() for name in branches if name not in names]
    if missing or extra:
        raise ValueError(
            f"Each spec needs a branch under its own name. Expected: {names}. Received: {list(branches)}. "
            f"Missing: {missing}. Unknown: {extra}."
        )
