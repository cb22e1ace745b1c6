"""Any model of Keras as a branch.

>>> import mmkeras as mm
>>> mine = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(8, 3, strides=4)])
>>> from_model(mm.Image("photo", size=(32, 32)), mine, rescale=(1 / 127.5, -1.0), train="none").output_shape
[(None, 64, 8), (None, 64)]
"""

import re
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from mmkeras.branches._backbone import Backbone
from mmkeras.branches._model import branch, check_pool, mean_token, one_token, ready_inputs
from mmkeras.branches.image._norms import with_batch_norm
from mmkeras.branches.image._tokens import POOLS, present_tokens, tokens
from mmkeras.specs import Spec

_POOLS = {2: (None,), 3: (None, "cls", "mean"), 4: POOLS}


def from_model(
    spec: Spec,
    model: keras.Model,
    *,
    prepare: Callable[[dict[str, Any]], Any] | None = None,
    rescale: tuple[float, float] | None = None,
    output: str | int | None = None,
    mask: Callable[[dict[str, Any]], Any] | None = None,
    pool: str | None = None,
    train: str | int = "all",
) -> keras.Model:
    """A model of your own, of keras.applications or of keras-hub, such as a pretrained one, as a branch.

        network = keras.applications.EfficientNetB0(include_top=False, input_shape=(224, 224, 3))
        mm.branches.from_model(mm.Image("photo", size=(224, 224)), network, pool="mean", train=2)

    The model becomes a part of the branch and is trained with it; give a copy (`keras.models.clone_model`) where it is
    needed as it is. For `.keras` files a subclassed one must be registered (`keras.saving.register_keras_serializable`)
    and have `get_config`.

    Masking: what is absent gives masked tokens, and has no part in the statistics of the batch norms of a functional
    model of one input (they become `layers.BatchNorm`); models within the model, and subclassed ones, keep theirs.

    Args:
        spec: any spec.
        model: `keras.Model` whose output is a vector (B, D), tokens (B, T, D) or a feature map (B, H, W, D).
        prepare: function of the ready tensors, a dict by name, that gives what the model takes, by means of `keras.ops`
            and layers; None for models of one input, which get the tensor that is called like the spec, pixels as
            float32 from 0 to 255.
        rescale: (scale, offset) by which that tensor is multiplied and to which is added, instead of `prepare`.
        output: key or index of the output that is taken, where the model has several.
        mask: function of the ready tensors that gives the mask (B, T) bool of tokens. None takes the spec's own where
            it has as many places; a spec that is either there or absent as a whole needs none.
        pool: None keeps tokens, and makes one of each place of a feature map, with a learned position. "mean" or
            "max" over the places, or "flatten", as in `image.conv2d`; of tokens "cls", the first one, or "mean".
        train: "all", "none", or how many of the last blocks are trained (layers with weights, in models whose blocks we
            do not know by name). What is frozen computes as in inference: batch norm keeps its statistics, and dropout
            drops nothing.

    Returns:
        keras.Model, ready tensors of the spec -> tokens (B, T, D) and mask (B, T).

    Raises:
        TypeError: `spec` is no spec, or `model` no `keras.Model`.
        ValueError: the model does not take what it is given, or gives something else; or an argument does not fit it.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"from_model takes a keras.Model. Received: {model!r}. Wrap a layer in keras.Sequential.")
    ready, where = ready_inputs(spec), f"the model of '{spec.name}'"
    given = _given(where, spec, ready, model, prepare, rescale)
    present = _present(spec, ready)
    x = _answer(where, model, train, given, present, output)
    _check_output(where, x)
    check_pool(spec, pool, _POOLS[len(x.shape)])
    if len(x.shape) == 4:
        return branch(spec, ready, *tokens(x, present, pool))
    if len(x.shape) == 2:
        x = ops.expand_dims(x, 1)
        return branch(spec, ready, x, present_tokens(x, present))
    real = _real(where, x, mask(dict(ready)) if mask else ready.get(f"{spec.name}_mask"))
    pooled = {None: lambda: (x, real), "mean": lambda: mean_token(x, real), "cls": lambda: one_token(x[:, 0], real)}
    return branch(spec, ready, *pooled[pool]())


def _given(where, spec, ready, model, prepare, rescale):
    """Symbolic inputs that the model is called on."""
    if prepare is not None and rescale is not None:
        raise ValueError(
            f"prepare computes every input of {where}. Received: rescale={rescale!r}, as well. Leave it out."
        )
    if prepare is not None:
        return prepare(dict(ready))
    names = [tensor.name for tensor in _inputs(model)]
    if len(names) > 1:
        form = f"a dict of {list(model.input)}" if isinstance(model.input, dict) else f"a list of {names}"
        raise ValueError(
            f"prepare is needed for the inputs of {where}, which has several. Received: None. Give a function of the "
            f"ready tensors, {list(ready)}, that returns {form}."
        )
    x = ready[spec.name]
    if rescale is not None:
        return keras.layers.Rescaling(*rescale, name="rescaling")(x)
    return ops.cast(x, "float32") if x.dtype == "uint8" else x


def _inputs(model):
    """Symbolic inputs of a functional model; an empty list for a subclassed one."""
    return getattr(model, "inputs", None) or []


def _present(spec, ready):
    """Whether each example is present, (B, 1); None if it always is."""
    mask = ready.get(f"{spec.name}_mask")
    return None if mask is None else ops.any(mask, axis=1, keepdims=True)


def _answer(where, model, train, given, present, output):
    """Symbolic output of the model."""
    if isinstance(model, keras.Sequential):
        model = _functional(where, model, given)
    _check_train(where, model, train)
    takes = [tuple(tensor.shape) for tensor in _inputs(model)]
    if takes and output is not None:
        model, output = keras.Model(model.input, _picked(where, model.output, output), name=model.name), None
    if takes and isinstance(model.input, keras.KerasTensor) and train != "none":
        model = with_batch_norm(model, masked=present is not None)
    given = given if len(_inputs(model)) == len(takes) else [given, present]
    return _picked(where, _call(where, Backbone(model, train, name="backbone"), given, takes), output)


def _functional(where, model, given):
    """A functional model with the same layers, because a `keras.Sequential` has no named `input` of its own."""
    if not model.built:
        _call(where, model, given, [])
    x = start = keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)
    for layer in model.layers:
        x = layer(x)
    return keras.Model(start, x, name=model.name)


def _check_train(where, model, train):
    frozen = [layer.name for layer in model._flatten_layers() if not layer.trainable]
    if frozen and train == "all":
        raise ValueError(
            f"train says what is trained of {where}. Received: train='all', and a model of which {frozen[0]!r} is "
            "frozen already. Say train='none' or how many of its blocks, or set trainable = True of the model."
        )
    if not _inputs(model) and train not in ("all", "none"):
        raise ValueError(
            f'train of {where} must be "all" or "none": the order of its layers is not known, as it is subclassed. '
            f"Received: {train!r}."
        )


def _call(where, layer, given, takes):
    try:
        return layer(given)
    except (ValueError, TypeError) as error:
        shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(given)][: len(takes) or None]
        raise ValueError(
            f"The ready tensors must fit the inputs of {where}{f', {takes}' if takes else ''}. Received: {shapes}. "
            f"Change the spec (size, channels), or give prepare. {type(error).__name__}: {_core(error)}"
        ) from error


def _core(error):
    """What Keras says of it, without the colours of a terminal and the call around it."""
    told = re.sub(r"\x1b\[[\d;]*m", "", str(error))
    return told.partition("\n\nArguments received")[0].rpartition("\n\n")[2]


def _picked(where, outputs, output):
    """The selected one of a model's outputs."""
    several = outputs if isinstance(outputs, dict) else dict(enumerate(keras.tree.flatten(outputs)))
    if len(several) > 1 if output is None else output not in several:
        raise ValueError(f"output must name one of the outputs of {where}: {list(several)}. Received: {output!r}.")
    return next(iter(several.values())) if output is None else several[output]


def _check_output(where, x):
    fixed = len(x.shape) in _POOLS and None not in (x.shape[1:] if len(x.shape) == 4 else x.shape[-1:])
    if not fixed or "float" not in str(x.dtype):
        raise ValueError(
            f"The output of {where} must be a vector (B, D), tokens (B, T, D) or a feature map (B, H, W, D), of float "
            f"numbers and of fixed D, H and W. Received: shape {tuple(x.shape)}, {x.dtype}. End the model earlier, "
            "with keras.Model(model.input, model.get_layer(NAME).output), or build it for a fixed size."
        )


def _real(where, x, mask):
    """Mask (B, T) of the tokens."""
    if mask is None or (mask.shape[1] == 1 and x.shape[1] != 1):
        return present_tokens(x, mask)
    if mask.shape[1] != x.shape[1]:
        raise ValueError(
            f"Each token of {where} needs a place in the mask. Received: {x.shape[1]} tokens, and a mask of "
            f"{mask.shape[1]}. Give mask, a function of the ready tensors, e.g. with layers.PoolMask."
        )
    return mask
