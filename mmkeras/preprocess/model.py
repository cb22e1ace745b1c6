"""The model that `preprocessor` returns."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from mmkeras.contract import NamedModel
from mmkeras.preprocess._layer import RawLayer


@keras.saving.register_keras_serializable("mmkeras")
class Preprocess(NamedModel):
    """A functional model from raw to ready that knows its specs, also when it is loaded from its file.

    Attributes:
        given: the specs that were given to `preprocessor`.

    Example:

    >>> import mmkeras as mm, tensorflow as tf
    >>> raw = tf.data.Dataset.from_tensor_slices({"review": ["good", "very good", ""]})
    >>> preprocess = mm.adapt(mm.preprocessor([mm.Text("review", optional=True)]), raw, verbose=False)
    >>> preprocess.given[0].ids, preprocess.specs[0].ids
    (20000, 4)
    """

    @property
    def given(self) -> list[Any]:
        return list(self._specs)

    @property
    def specs(self) -> list[Any]:
        """List of the specs with the numbers of ids that `adapt` learned for texts and categories.

        Branches built from these specs have embeddings of so many rows; those built from the given specs have a row for
        each id that could have been learned (`vocabulary_size`, `max_categories`).
        """
        return [self._learned(spec) for spec in self.given]

    @functools.cached_property
    def _traced(self):
        raw = {name: tf.TensorSpec((None, *x.shape[1:]), x.dtype, name) for name, x in self.input.items()}
        return tf.function(lambda inputs: self(inputs, training=False), input_signature=[raw], autograph=False)

    # With this attribute, AutoGraph calls the object unconverted. There is nothing to convert here, and errors in
    # `dataset.map(preprocess)` would otherwise start with AutoGraph's stack frames.
    autograph_info__ = None

    def __call__(self, inputs, *args, **kwargs):
        if not any(map(keras.backend.is_keras_tensor, keras.tree.flatten(inputs))):
            check_adapted(self)
        return super().__call__(inputs, *args, **kwargs)

    def _hint(self, inputs):
        labels = [name for name in inputs if name not in self.input]
        together = labels and set(self.input) <= set(inputs)
        return " Labels are no inputs: mm.data.train_batches and eval_batches keep the two apart." if together else ""

    def part(self, names: Sequence[str]) -> "Preprocess":
        """The same for some of its modalities: a `Preprocess` of their raw names alone.

        Args:
            names: list of names of specs.

        Example:

        >>> import mmkeras as mm
        >>> both = mm.preprocessor([mm.Image("photo", size=8), mm.Vector("face", size=4)])
        >>> list(both.part(["face"]).input), list(both.part(["face"]).output)
        (['face'], ['face', 'face_mask'])
        """
        specs = [spec for spec in self.given if spec.name in names]
        inputs = {key: self.input[key] for spec in specs for key in spec.raw}
        outputs = {key: self.output[key] for spec in specs for key in spec.ready}
        return type(self).of(inputs, outputs, specs, name=f"{self.name}_part")

    def _learned(self, spec):
        learned = getattr(self.get_layer(f"{spec.name}_preprocess"), "learned", None)
        return dataclasses.replace(spec, learned=learned) if learned else spec


def traced(preprocess: keras.Model) -> Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]:
    """`preprocess` as a `tf.function`, traced once for all data sets and exports; a model of another kind itself.

    Tracing the layers of a picture and a sound takes more than a second.
    """
    return preprocess._traced if isinstance(preprocess, Preprocess) else functools.partial(preprocess, training=False)


def check_adapted(preprocess):
    """Raises ValueError, naming the modality, if a layer that has to be adapted has not been."""
    for layer in preprocess.layers:
        if isinstance(layer, RawLayer):
            layer.check_adapted()
