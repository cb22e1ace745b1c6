"""One version of a SavedModel, loaded and warmed up."""

import inspect
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the ops of TensorFlow Text
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2

from mmkeras.causes import cause_of
from mmkeras.serve import protocol

# Includes fields that have their default value; the second name is that before protobuf 5.26.
_DEFAULTS = next(name for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
                 if name in inspect.signature(json_format.MessageToDict).parameters)  # fmt: skip


class SavedModel:
    """A SavedModel that answers arrays.

    Attributes:
        inputs: dict by signature of dicts of `tf.TensorSpec` by input name.
        metadata: the signatures as TF Serving's `/metadata` has them.
        recorded: (signature, arrays) of its own request.json; None where there is none.

    Raises:
        OSError, ValueError, tf.errors.OpError: it cannot be loaded, or does not answer its own request.json.
    """

    def __init__(self, path, max_batch):
        self.metadata = _signatures(path)
        self._loaded = tf.saved_model.load(str(path))
        self._functions = dict(self._loaded.signatures.items())
        self.inputs = {name: function.structured_input_signature[1] for name, function in self._functions.items()}
        self._max_batch = max_batch
        self.recorded = self._recorded(Path(path, "assets.extra", "request.json"))
        if self.recorded:
            self._warm_up(*self.recorded)

    def __call__(self, signature, arrays):
        """Dict of answers (B, ...).

        Raises:
            protocol.Refused: an input cannot be used; the message is that of the graph.
        """
        count, size = len(next(iter(arrays.values()))), self._max_batch
        starts = range(0, count, size)
        parts = [self._answer(signature, {name: x[i : i + size] for name, x in arrays.items()}) for i in starts]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _answer(self, signature, arrays):
        specs = self.inputs[signature]
        try:
            found = self._functions[signature](
                **{name: tf.constant(array, specs[name].dtype) for name, array in arrays.items()}
            )
            return {name: value.numpy() for name, value in found.items()}
        except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            cause = cause_of(error)
            name = cause.partition(":")[0]
            raise protocol.Refused(cause, name if name in specs else None) from error

    def _recorded(self, request):
        if not request.is_file():
            return None
        signature, values, rows = protocol.parsed(request.read_bytes())
        return signature, protocol.arrays(values, rows, self.inputs[signature])

    def _warm_up(self, signature, arrays):
        """Answers the example request, alone and as a full batch, since the first run of a graph optimizes it."""
        one = {name: array[:1] for name, array in arrays.items()}
        full = {name: np.concatenate([array[:1]] * self._max_batch) for name, array in arrays.items()}
        for each in (one, arrays, full, one):
            self(signature, each)


def _signatures(path):
    meta = saved_model_pb2.SavedModel.FromString(Path(path, "saved_model.pb").read_bytes()).meta_graphs[0]
    options = {"preserving_proto_field_name": True, _DEFAULTS: True}
    return {name: json_format.MessageToDict(each, **options) for name, each in meta.signature_def.items()}
