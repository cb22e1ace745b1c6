"""Checks of the parts of a model: each has the expected type and is given under its own name."""

import inspect

import keras

from mmkeras import fusion as fusions
from mmkeras.checks import check_keys
from mmkeras.data_checks import kind

_GIVES = "tokens (B, T, D) and their mask (B, T) bool."


def check_branches(specs, branches):
    """Raises TypeError or ValueError unless there is a branch for each spec, under its name, and built for it.

    Args:
        specs: list of specs.
        branches: what was given as their branches.
    """
    names = [spec.name for spec in specs]
    if not isinstance(branches, dict):
        raise TypeError(
            f"branches must be a dict from the name of a spec to its branch. Received: {kind(branches)}. Give "
            f"{{{', '.join(f'{name!r}: ...' for name in names)}}}."
        )
    check_keys("Each spec needs a branch under its own name.", branches, names)
    for spec in specs:
        _check_branch(spec, branches[spec.name])
    _check_swapped(specs, branches)


def _check_branch(spec, branch):
    if isinstance(branch, type) or not isinstance(branch, keras.Model):
        call = "Call it with the spec" if callable(branch) else "Call a function of mm.branches with the spec"
        raise TypeError(
            f"A branch must be a keras.Model from the ready tensors of its spec to {_GIVES} Received: {kind(branch)} "
            f"for '{spec.name}'. {call}, as in mm.branches.text.lstm(spec), and give what it returns."
        )
    output = getattr(branch, "output", None)  # a model that was not called, even a Sequential with an Input, has none
    if output is None:
        raise ValueError(
            f"A branch must be a functional keras.Model of the ready tensors of its spec. Received: '{branch.name}' "
            f"for '{spec.name}', a {type(branch).__name__}. Wrap it: mm.branches.from_model(spec, model)."
        )
    found = _shapes(output)
    fits = isinstance(output, list | tuple) and [len(shape) for shape, _ in found] == [3, 2]
    if not fits or found[1][1] != "bool":
        listed = ", ".join(f"{shape} {dtype}" for shape, dtype in found)
        raise ValueError(
            f"A branch must return two tensors: {_GIVES} Received: {listed} from that of '{spec.name}'. Turn a vector "
            "(B, D) into one token with keras.ops.expand_dims(vector, 1), with a mask (B, 1) that is False where the "
            "modality is absent: keras.Model(inputs, [tokens, mask]); mm.branches.from_model(spec, model) does so for "
            "any model."
        )


def _check_swapped(specs, branches):
    """Raises an error for a branch whose inputs are those of another spec, unless specs share the branch."""
    for spec in specs:
        branch = branches[spec.name]
        takes = set(branch.input) if isinstance(branch.input, dict) else set(spec.ready)
        other = next((each.name for each in specs if each.name != spec.name and takes == set(each.ready)), None)
        if other is not None and branches[other] is not branch:
            raise ValueError(
                f"Each branch must have the name of the spec that it was built for. Received: under '{spec.name}', the "
                f"branch of '{other}'. Are the two swapped? Build one for '{spec.name}'."
            )


def check_fusion(fusion):
    """Raises TypeError unless it is a layer or another function of lists of tokens and masks."""
    if isinstance(fusion, type) or not callable(fusion):
        called = {name.lower(): name for name in fusions.__all__}
        name = fusion.__name__ if isinstance(fusion, type) else called.get(str(fusion).replace("_", "").lower())
        raise TypeError(
            f"fusion must be a layer of mm.fusion. Received: {kind(fusion)}. Create one: "
            f"mm.fusion.{name or 'Concatenate'}()."
        )
    _check_call(fusion)


def _check_call(fusion):
    """Raises TypeError unless it can be called with a list of tokens and one of masks."""
    called = fusion.call if isinstance(fusion, keras.Layer) else fusion
    try:
        inspect.signature(called).bind([], [])
    except ValueError:  # a function without a signature
        return
    except TypeError as error:
        raise TypeError(
            "A fusion is called as fusion(tokens, masks), lists of (B, T, D) and (B, T). "
            f"Received: {getattr(fusion, 'name', kind(fusion))}, a {type(fusion).__module__}.{type(fusion).__name__}: "
            f"{error}. Take a layer of mm.fusion, or give yours call(self, tokens, masks)."
        ) from error


def check_fused(fusion, fused):
    """Raises ValueError unless a fusion returned one vector (B, D)."""
    found = _shapes(fused)
    if isinstance(fused, list | tuple | dict) or len(found[0][0]) != 2:
        listed = ", ".join(str(shape) for shape, _ in found)
        raise ValueError(
            f"A fusion must return one vector per example, (B, D). Received: {listed} from "
            f"{getattr(fusion, 'name', kind(fusion))}. Average its output over the tokens: "
            "mm.layers.MaskedMean()(tokens, mask) in its call."
        )


def check_joint(fusion, found):
    """Raises ValueError unless a fusion returned joint tokens (B, M, D) and their mask (B, M)."""
    shapes = _shapes(found)
    if [len(shape) for shape, _ in shapes] != [3, 2] or shapes[1][1] != "bool":
        listed = ", ".join(f"{shape} {dtype}" for shape, dtype in shapes)
        raise ValueError(
            "encoder_decoder needs a fusion that gives joint tokens (B, M, D) and their mask (B, M) bool. Received: "
            f"{listed} from {getattr(fusion, 'name', kind(fusion))}. Use one that reads every token, such as "
            "mm.fusion.SingleStream(), or leave fusion= out."
        )


def _shapes(tensors):
    return [(tuple(tensor.shape), tensor.dtype) for tensor in keras.tree.flatten(tensors)]
