import keras

from mmkeras.checks import check


def synchronize_batch_norm(model: keras.Model) -> list[str]:
    """Makes all batch normalisation of a model use the statistics of the whole batch, over all replicas.

    By default each replica normalises by its own part of a batch, which is too small if it has only a few examples.
    Synchronised layers give the results of one device, and need three more reductions for each layer and step.

        with mm.distribute.strategy().scope():
            model = mm.fusion_model(...)
            mm.distribute.synchronize_batch_norm(model)
            model.compile(...)

    Args:
        model: any `keras.Model`. Its layers are changed in place, and the setting is saved with them; a single device
            can load it.

    Returns:
        Names of the layers, those of models within the model included.

    Raises:
        ValueError: the model has no batch normalisation, or one with `renorm`.

    Example:

    >>> from mmkeras import Image, branches
    >>> synchronize_batch_norm(branches.image.conv2d(Image("picture", size=(16, 16)), filters=(4, 8)))
    ['norm_0', 'norm_1']

    Source: Peng et al., MegDet, arXiv 1711.07240, section 3.3.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    rule = "synchronize_batch_norm needs a model with batch normalisation, without renorm."
    name = f"model '{model.name}'"
    check(layers, rule, f"{name}, which has none", "Leave the call out.")
    renorm = [layer.name for layer in layers if layer.renorm]
    check(not renorm, rule, f"{name}, which has renorm in {renorm}", "Build these layers without it.")
    for layer in layers:
        layer.synchronized = True
    model.train_function = None  # a step that was traced before does not synchronise
    return [layer.name for layer in layers]
