"""What all builders share: inputs, branches, modality dropout, and answers of single modalities."""

import keras
import numpy as np

from mmkeras.checks import suggested
from mmkeras.contract import auxiliary_name
from mmkeras.heads import check_heads
from mmkeras.layers import CombineAnswers, MaskedMean, ModalityDropout
from mmkeras.models._checks import check_branches
from mmkeras.specs import check_specs


def modalities(specs, branches, heads=None):
    """Symbolic inputs by name, and the tokens and masks of every branch, in the order of the specs."""
    check_specs(specs)
    if heads is not None:
        check_heads(heads)
    check_branches(specs, branches)
    inputs = {
        key: keras.Input(shape, dtype=dtype, name=key) for spec in specs for key, (shape, dtype) in spec.ready.items()
    }
    pairs = [branches[spec.name](_for_branch(branches, spec, inputs)) for spec in specs]
    tokens, masks = map(list, zip(*pairs, strict=True))
    return inputs, tokens, masks


def _for_branch(branches, spec, inputs):
    """The inputs of a spec under the names that its branch expects: a shared branch was built for another spec."""
    branch, own = branches[spec.name], {key: inputs[key] for key in spec.ready}
    names = list(branch.input) if isinstance(branch.input, dict) else list(own)
    shared = [name for name, other in branches.items() if other is branch]
    fits = len(names) == len(own) and all(
        tensor.dtype == wanted.dtype and tensor.shape == wanted.shape
        for tensor, wanted in zip(own.values(), keras.tree.flatten([branch.input]), strict=True)
    )
    if set(names) != set(own) and not (fits and len(shared) > 1):
        raise ValueError(
            "A branch must take the ready tensors of its spec; specs can share a branch only if their ready tensors "
            f"are alike. Received: for spec '{spec.name}', {list(own)}, a branch that takes {names}, under the name(s) "
            f"{shared}. Build one for '{spec.name}', or make the specs alike."
        )
    return own if set(names) == set(own) else dict(zip(names, own.values(), strict=True))


def dropped(specs, masks, rate):
    if isinstance(rate, dict):
        names = [spec.name for spec in specs]
        unknown = suggested([name for name in rate if name not in names], names)
        if unknown:
            raise ValueError(f"modality_dropout must name specs. Received: [{unknown}]. Specs: {names}.")
        rate = [rate.get(name, 0.0) for name in names]
    return ModalityDropout(rate, name="modality_dropout")(masks) if np.any(rate) else masks


def own_answers(specs, tokens, masks, heads):
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


def by_name(answers):
    return {name: answer for several in answers.values() for name, answer in several.items()}


def combined(head, how, answers, masks):
    return CombineAnswers(how, kind=head.activation, name=head.name)(list(answers), masks)
