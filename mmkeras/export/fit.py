"""Checks that preprocess, model and heads belong together."""

from mmkeras.checks import suggested
from mmkeras.contract.teaching import uniform_name
from mmkeras.preprocess import Preprocess


def check_fit(preprocess, model, heads):
    """Raises ValueError unless preprocess gives the model's inputs and the heads match its outputs."""
    if isinstance(model, Preprocess) and not isinstance(preprocess, Preprocess):
        raise ValueError(
            "An export takes the preprocess first, and then the model. Received: the two in the other order. Call it "
            "with (preprocess, model, ...)."
        )
    for stage, part in (("preprocess", preprocess), ("model", model)):
        if not isinstance(part.input, dict) or not isinstance(part.output, dict):
            raise ValueError(
                f"{stage} must be a functional keras.Model with dict inputs and outputs. Received: {part!r}."
            )
    _check_seeded(preprocess, model, heads)
    _check_names("model must take what preprocess gives.", preprocess.output, model.input)
    _check_names("model must have one output for each head.", [head.name for head in heads], model.output)
    for key, tensor in model.input.items():
        given = preprocess.output[key]
        if given.dtype != tensor.dtype or not _agree(given.shape, tensor.shape):
            raise ValueError(
                f"model must take what preprocess gives. Expected for '{key}': {tensor.shape}, {tensor.dtype}. "
                f"Received: {given.shape}, {given.dtype}. Build both from the same specs."
            )
    for head in heads:
        width = model.output[head.name].shape[-1]
        if head.width != width:
            raise ValueError(
                f"Head '{head.name}' must be the one model was built with. It answers with {head.width} "
                f"number(s). Received: an output of width {width}. Leave heads= out: the model knows its own."
            )


def _check_seeded(preprocess, model, heads):
    for head in heads:
        name = uniform_name(head.name)
        if head.teacher_forcing and name in model.input and name not in preprocess.output:
            raise ValueError(
                f"An exported model takes raw examples only, and no random numbers. Received: a model with the input "
                f"'{name}', from which the answers of head '{head.name}' are drawn. Give it a seed: "
                "mm.decoding.decode_with(model, decoding=mm.decoding.Sampling, seed=0)."
            )


def _check_names(rule, given, taken):
    missing = suggested([name for name in taken if name not in given], given)
    unused = [name for name in given if name not in taken]
    if missing or unused:
        raise ValueError(
            f"{rule} Expected: {list(taken)}. Received: {list(given)}. Missing: [{missing}]. Unknown: {unused}. "
            "Build them from the same specs and heads."
        )


def _agree(given, taken):
    pairs = zip(given, taken, strict=False)
    return len(given) == len(taken) and all(a is None or b is None or a == b for a, b in pairs)


def decoded(heads, outputs):
    """Model outputs by head name -> the answers of all heads by name.

    Raises:
        ValueError: two heads give an answer of the same name, such as `mood` and a head called `mood_scores`.
    """
    answers = {}
    for head in heads:
        own = head.decode(outputs[head.name])
        if met := sorted(set(own) & set(answers)):
            raise ValueError(f"Each answer's name may belong to one head. Received: {met} twice. Rename '{head.name}'.")
        answers |= own
    return answers
