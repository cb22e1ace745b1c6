"""A functional model that validates its inputs by name."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from mmkeras import specs as kinds
from mmkeras.checks import check_keys, suggested
from mmkeras.contract.auxiliary import for_auxiliary, head_of
from mmkeras.contract.fitting import Fitting, with_a_row
from mmkeras.contract.teaching import Teaching, label_name, taught_heads
from mmkeras.data_checks import looks_raw

for _kind in kinds.KINDS.values():
    keras.saving.register_keras_serializable("mmkeras")(_kind)


@keras.saving.register_keras_serializable("mmkeras")
class NamedModel(Teaching, Fitting, keras.Model):
    """A functional `keras.Model` with dict inputs that raises an error for unexpected keys, shapes or dtypes.

    Keras itself ignores extra keys, and accepts swapped inputs of equal shapes. The keys of a dict of labels must be
    those of the outputs, except for auxiliary outputs (HEAD.SPEC), which use the label of their head.

    Attributes:
        specs: list of the specs of its modalities, empty if it was not made by a builder of this package.
        heads: list of its heads, empty if it has none. Both are part of the config and saved in `.keras` files.

    Raises:
        ValueError: a key is missing or unknown, or its tensor has an incompatible shape or dtype.
    """

    _specs = _heads = ()

    @classmethod
    def of(
        cls, inputs: Any, outputs: Any, specs: Sequence[Any] = (), heads: Sequence[Any] = (), *, name: str | None = None
    ) -> Self:
        """Builds a model that knows its specs and heads."""
        model = cls(inputs, outputs, name=name)
        model._specs, model._heads = tuple(specs), tuple(heads)
        return model

    @property
    def specs(self) -> list[Any]:
        return list(self._specs)

    @property
    def heads(self) -> list[Any]:
        return list(self._heads)

    def get_config(self):
        known = {"specs": self._specs, "heads": self._heads}
        return super().get_config() | {key: list(map(_serialize, values)) for key, values in known.items()}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        known = {key: config.get(key, ()) for key in ("specs", "heads")}
        model = super().from_config({key: config[key] for key in config if key not in known}, custom_objects)
        for key, values in known.items():
            setattr(model, f"_{key}", tuple(_deserialize(value, custom_objects) for value in values))
        return model

    def __call__(self, inputs, *args, **kwargs):
        expected = self.input
        if not isinstance(inputs, dict):
            raise ValueError(
                f"Model '{self.name}' takes a dict by name. Received: {type(inputs).__name__}. "
                f"Give the keys {list(expected)}."
            )
        if any(label_name(head) in inputs for head in taught_heads(self)):
            return self.taught()(inputs, *args, **kwargs)
        hint = self._hint(inputs)
        check_keys(f"Model '{self.name}' must be fed exactly its inputs, by name.", inputs, expected, hint)
        inputs = {key: _as_array(value) for key, value in inputs.items()}
        for key, tensor in expected.items():
            _check_tensor(self.name, key, inputs[key], tensor, hint)
        inputs, rows = with_a_row({key: inputs[key] for key in expected})
        outputs = super().__call__(inputs, *args, **kwargs)
        return outputs if rows is None else keras.tree.map_structure(lambda tensor: tensor[:rows], outputs)

    def _hint(self, inputs):
        """Advice for inputs that belong to another stage of preprocessing."""
        return " These are raw values: feed what preprocess makes of them." if looks_raw(inputs, self) else ""

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        if isinstance(loss, dict) and isinstance(self.output, dict):
            _check_losses(self.name, loss, self.output)
        super().compile(optimizer, loss, *args, **kwargs)

    def compile_from_config(self, config):
        # Keras does not compile a loaded model whose class overrides `compile`.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y, sample_weight = self._labels(y, y_pred), for_auxiliary(sample_weight, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        y, sample_weight = self._labels(y, y_pred), for_auxiliary(sample_weight, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _labels(self, y, y_pred):
        y = for_auxiliary(y, y_pred)
        if isinstance(y, dict) and isinstance(y_pred, dict):
            check_keys(f"The labels of model '{self.name}' must be called like its outputs.", y, y_pred)
        return y


def _serialize(value):
    return keras.saving.serialize_keras_object(value)


def _deserialize(config, custom_objects):
    return keras.saving.deserialize_keras_object(config, custom_objects)


def _check_losses(model, loss, outputs):
    auxiliary = [name for name in outputs if head_of(name)]
    missing = [name for name in auxiliary if name not in loss]
    unknown = suggested([name for name in loss if name not in outputs], outputs)
    if missing or unknown:
        specs = list(dict.fromkeys(name.partition(".")[2] for name in auxiliary))
        remedy = "Name each loss after an output."
        if missing or any(head_of(name) for name in loss):
            remedy = (
                f"Compile with mm.heads.compile_for(heads, auxiliary={specs}), or build the model with "
                f"auxiliary={not auxiliary}."
            )
        raise ValueError(
            f"The losses of model '{model}' must have the names of its outputs. Expected: {list(outputs)}. Received: "
            f"{list(loss)}. Missing: {missing}. Unknown: [{unknown}]. {remedy}"
        )


def without_auxiliary(model: keras.Model, heads: Sequence[Any]) -> keras.Model:
    """The model without its auxiliary outputs, for export; a model without them is returned unchanged."""
    names = [head.name for head in heads]
    extra = [name for name in model.output if name not in names] if isinstance(model.output, dict) else []
    if not extra or not all(head_of(name) in names for name in extra):
        return model  # `export.fit` reports the mismatch
    outputs = {name: model.output[name] for name in names}
    return NamedModel.of(
        model.input, outputs, getattr(model, "specs", ()), getattr(model, "heads", ()), name=model.name
    )


def _as_array(value):
    """Converts lists to arrays, and strings to object arrays, since NumPy's string dtype drops trailing zero bytes."""
    array = value if hasattr(value, "dtype") else np.asarray(value)
    return np.asarray(value, object) if getattr(array.dtype, "kind", None) in ("S", "U") else array


def _check_tensor(model, key, received, expected, hint):
    is_object = getattr(received.dtype, "kind", "") == "O"  # strings, or objects that cannot be converted to strings
    dtype = "string" if is_object else keras.backend.standardize_dtype(received.dtype)
    if not _shapes_agree(received.shape, expected.shape) or _kind(dtype) != _kind(expected.dtype):
        raise ValueError(
            f"Input '{key}' of model '{model}' has a wrong shape or dtype. Was another modality passed under this "
            f"name? Expected: shape {tuple(expected.shape)}, {expected.dtype}. Received: shape {received.shape}, "
            f"{dtype}.{hint}"
        )


def _shapes_agree(received, expected):
    if getattr(received, "rank", 0) is None:  # a `tf.TensorShape` of unknown rank
        return True
    pairs = zip(received, expected, strict=False)
    return len(received) == len(expected) and all(a is None or b is None or a == b for a, b in pairs)


def _kind(dtype):
    """Kind of a dtype. Dtypes of one kind can be cast to each other; strings and masks cannot be cast to numbers."""
    return dtype if dtype in ("string", "bool") else "integer" if "int" in dtype else "float"
