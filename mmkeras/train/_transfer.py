import re
from collections.abc import Sequence

import keras

from mmkeras.checks import check, did_you_mean
from mmkeras.train._discriminative import names_of


def transfer(
    model: keras.Model, source: keras.Model, *, freeze: Sequence[str] = (), verbose: bool = True
) -> dict[str, list[str]]:
    """Takes trained parts of another model over, by name: fine-tuning begins with this line.

        model = mm.fusion_model(specs, branches, fusion, heads)          # built as usual
        mm.train.transfer(model, pretrained, freeze=["name"])            # a dual_encoder, masked_model or fusion_model
        optimizer = mm.train.discriminative("adam", model, {"picture": 0.1})
        model.compile(optimizer, **mm.heads.compile_for(heads))

    What has the same name in both, branches, fusion and heads, gets the weights of the source; a fusion without a name
    of its own is found by its class. They are copied: training the model does not change the source.

    Args:
        model: model to be trained, of a builder of this package; not compiled yet, or to be compiled again.
        source: trained model; of a file, `mm.load_model(path)`.
        freeze: names of specs, layers or "fusion": what is taken over and not trained. Frozen batch normalisation
            computes as in inference. A `.keras` file does not remember what was frozen.
        verbose: print what was taken over, and what starts anew.

    Returns:
        Dict of lists of names: "taken", "new" and "frozen".

    Raises:
        ValueError: nothing has the same name, weights differ in shape, or what is to be frozen was not taken over.

    Source: Devlin et al., arXiv 1810.04805, section 3.2, for fine-tuning everything; freezing is the older way.
    """
    theirs = {_key(layer): layer for layer in source.layers if layer.weights}
    ours = [layer for layer in model.layers if layer.weights]
    pairs = [(layer, theirs[_key(layer)]) for layer in ours if _key(layer) in theirs]
    names, known = [layer.name for layer in ours], [layer.name for layer in theirs.values()]
    rule = f"Some branch, fusion or head must have the same name in '{model.name}' and '{source.name}'."
    check(pairs, rule, f"{names} and {known}", "Build both from the same specs.")
    for layer, other in pairs:
        _check_shapes(layer, other)
        layer.set_weights(other.get_weights())
    taken = [layer for layer, _ in pairs]
    frozen = [layer for name in freeze for layer in _named(taken, name)]
    for layer in frozen:
        layer.trainable = False
    found = {"taken": taken, "new": [layer for layer in ours if layer not in taken], "frozen": frozen}
    found = {key: [layer.name for layer in layers] for key, layers in found.items()}
    if verbose:
        print(f"Taken over from '{source.name}': {_listed(found['taken'])}. Frozen: {_listed(found['frozen'])}. "
              f"Starts anew: {_listed(found['new'])}.")  # fmt: skip
    return found


def _key(layer):
    """The name of a layer, or its class if Keras chose the name: a second `Attention` is called attention_1."""
    own = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(layer).__name__).lower()
    return type(layer).__name__ if re.fullmatch(rf"{own}(_\d+)?", layer.name) else layer.name


def _check_shapes(layer, other):
    ours, theirs = ([tuple(weight.shape) for weight in each.weights] for each in (layer, other))
    differ = [pair for pair in zip(theirs, ours, strict=False) if pair[0] != pair[1]]
    rule = f"'{layer.name}' must have the same weights in both models."
    received = f"shapes {differ[0]}" if differ else f"{len(theirs)} and {len(ours)} weights"
    remedy = "Build it with the same arguments, from the specs of the same preprocess."
    check(ours == theirs, rule, received, remedy)


def _named(layers, name):
    found = [layer for layer in layers if name in names_of(layer) or (name == "fusion" and _is_fusion(layer))]
    known = dict.fromkeys(each for layer in layers for each in names_of(layer))
    remedy = did_you_mean(name, known) or f"Taken over: {list(known)}."
    check(found, "Only what is taken over can be frozen.", repr(name), remedy)
    return found


def _is_fusion(layer):
    return type(layer).__module__.startswith("mmkeras.fusion")


def _listed(names):
    return ", ".join(names) or "nothing"
