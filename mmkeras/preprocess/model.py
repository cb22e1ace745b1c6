"""The model that `preprocessor` returns."""

import dataclasses
from typing import Any

import keras

from mmkeras.contract import NamedModel


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

    def _learned(self, spec):
        learned = getattr(self.get_layer(f"{spec.name}_preprocess"), "learned", None)
        return dataclasses.replace(spec, learned=learned) if learned else spec
