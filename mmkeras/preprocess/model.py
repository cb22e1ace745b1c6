"""What `preprocessor` returns."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from mmkeras.contract import NamedModel


@keras.saving.register_keras_serializable("mmkeras")
class Preprocess(NamedModel):
    """A functional model from raw to ready that knows its specs, also when it is loaded from its file.

    Attributes:
        given: the specs as `preprocessor` got them.

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
        """List of the specs with what `adapt` learned of them: how many ids a text or a category has.

        Branches built from these have embeddings of so many rows; built from the specs as they were given, they have
        a row for each id that could have been learned (`vocabulary_size`, `max_categories`).
        """
        return [self._learned(spec) for spec in self.given]

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
