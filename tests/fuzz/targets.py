"""What is fuzzed: preprocess, the SavedModel, the device and reading, each asked for the same files."""

import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers ops of the SavedModel

import mmkeras as mm
from mmkeras import edge
from mmkeras.export._litert.package.describe import describe

SPECS = [
    mm.Image("photo", size=(12, 16), optional=True),
    mm.Audio("voice", seconds=0.05, sample_rate=8000, optional=True),
    mm.Video("clip", frames=3, size=(8, 8), optional=True),
    mm.Text("note", max_tokens=8, vocabulary=("a", "b", "hello", "world", "!", "é", "我"), optional=True),
]
HEADS = [mm.heads.classification("kind", ["x", "y"])]
_ALLOWED = {"int32": 0, "bool": 0, "uint8": 1, "float32": 1e-4}  # ids and masks must be equal, pixels within one level
_ANSWERS = 1e-5


def build():
    """A small untrained model of all modalities, and its preprocess."""
    branches = {
        "photo": mm.branches.image.conv2d(SPECS[0], filters=(4,)),
        "voice": mm.branches.audio.conv2d(SPECS[1], filters=(4,), mel_bands=8),
        "clip": mm.branches.video.frames(SPECS[2], filters=(4,), units=4),
        "note": mm.branches.text.gru(SPECS[3], units=4, embed_dim=4),
    }
    return mm.preprocessor(SPECS), mm.fusion_model(SPECS, branches, mm.fusion.Concatenate(4), HEADS)


class Targets:
    """All ways in; one value of one modality is asked for at a time, the others are absent.

    Args:
        saved_model: path of the exported model of `build`.
    """

    def __init__(self, saved_model):
        self._preprocess = {spec.name: mm.preprocessor([spec]) for spec in SPECS}
        self._graph = {name: tf.function(model) for name, model in self._preprocess.items()}
        inputs = describe(mm.preprocessor(SPECS), HEADS)["inputs"]
        self._edge = {entry["name"]: edge.Preprocess([entry]) for entry in inputs}
        self._loaded = tf.saved_model.load(str(saved_model))
        self._raw_absent = {spec.name: tf.constant([b""]) for spec in SPECS}
        self._absent = {name: tensor for one in SPECS for name, tensor in self._graph[one.name](
            {one.name: self._raw_absent[one.name]}).items()}  # fmt: skip

    def ask(self, name, value):
        """Graph, SavedModel and device are asked for a value of the modality `name`.

        Returns:
            (outcome, fault): "accepted" or "refused"; and what is wrong, None where nothing is.
        """
        ready, edge_ready, answer = self._ready(name, value), self._device(name, value), self._answer(name, value)
        found = {"graph": ready, "edge": edge_ready, "SavedModel": answer}
        refusals = {who: str(each) for who, each in found.items() if isinstance(each, Exception)}
        if refusals:
            same = len(refusals) == len(found)
            return "refused", None if same else f"only {list(refusals)} of {list(found)} refuse it: {refusals}"
        return "accepted", self._wrong(name, value, ready, edge_ready, answer)

    def _wrong(self, name, value, ready, edge_ready, answer):
        if not all(np.isfinite(tensor).all() for tensor in [answer, *ready.values(), *edge_ready.values()]):
            return "not everything is finite"
        if value and name != "note" and not ready[f"{name}_mask"].any():
            return "a file that is there counts as absent"
        if set(ready) != set(edge_ready):
            return f"the graph gives {sorted(ready)}, the device {sorted(edge_ready)}"
        for key, tensor in ready.items():
            apart = np.abs(tensor.astype("float64") - edge_ready[key]).max(initial=0.0)
            if apart > _ALLOWED[str(tensor.dtype)]:
                return f"'{key}' of graph and device are {apart:g} apart"
        expected = self._loaded.signatures["ready"](**self._absent | {key: tf.constant(a) for key, a in ready.items()})
        apart = np.abs(expected["kind_scores"].numpy() - answer).max()
        return f"answers of ready and of raw values are {apart:g} apart" if apart > _ANSWERS else None

    def _ready(self, name, value):
        try:
            made = self._graph[name]({name: tf.constant([value])})
        except tf.errors.InvalidArgumentError as error:
            return error
        return {key: tensor.numpy() for key, tensor in made.items()}

    def _device(self, name, value):
        try:
            return self._edge[name]({name: value})
        except ValueError as error:
            return error

    def _answer(self, name, value):
        try:
            answer = self._loaded.signatures["serving_default"](**self._raw_absent | {name: tf.constant([value])})
        except tf.errors.InvalidArgumentError as error:
            return error
        return answer["kind_scores"].numpy()

    def read(self, name, values):
        """Values, paths or contents of files, are read as a table.

        Returns:
            list: for each, its ready tensors; or the `Fault` that it was skipped with.
        """
        spec = next(spec for spec in SPECS if spec.name == name)
        frame = pd.DataFrame({name: pd.Series(values, dtype=object)})
        raw = mm.data.from_dataframe(frame, [spec], on_error="skip")
        batches = mm.data.eval_batches(raw, self._preprocess[name], on_error="skip", verbose=False)
        rows = [{key: tensor.numpy()[i] for key, tensor in batch.items()} for batch in batches
                for i in range(len(batch[name]))]  # fmt: skip
        skipped = {fault.row: fault for fault in batches.skipped}
        if len(rows) + len(skipped) != len(values):
            raise RuntimeError(f"Of {len(values)} rows {len(rows)} were read and {len(skipped)} skipped.")
        rows = iter(rows)
        return [skipped[i] if i in skipped else next(rows) for i in range(len(values))]
