"""Runs a LiteRT file on raw values."""

import threading
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from mmkeras.edge.description import ANSWERS, KINDS, check_inputs, check_signature, describe
from mmkeras.edge.errors import check_fed, check_raw, check_ready
from mmkeras.formats.status import ABSENT, REFUSED, STATUS, check_free, check_on_error, status_of, why_refused

_STEP = 16  # input lengths are multiples of this number of tokens


class Preprocess:
    """Raw values of one example -> ready tensors with a batch of 1, as `mmkeras.preprocessor` computes them.

    Args:
        inputs: list of dicts: the `kind` of each modality and the arguments of its class here, the `inputs` of
            `describe`.

    Call arguments:
        raw: dict, raw name -> value. Missing values are absent.

    Returns:
        dict, ready name -> array.

    Raises:
        ValueError: `inputs` has unknown kinds, unknown arguments or invalid values; a name is unknown; or a value is
            invalid, in which case the message begins with the modality.
        TypeError: `raw` is no dict.
    """

    def __init__(self, inputs: Sequence[Mapping[str, Any]]) -> None:
        check_inputs(inputs)
        self.modalities = [KINDS[entry["kind"]](**{k: v for k, v in entry.items() if k != "kind"}) for entry in inputs]

    @property
    def names(self) -> list[str]:
        """Raw names, in order."""
        return [name for modality in self.modalities for name in modality.raw_names]

    def __call__(self, raw: Mapping[str, Any]) -> dict[str, np.ndarray]:
        check_raw(self.names, raw)
        ready = {}
        for modality in self.modalities:
            ready |= modality(raw if modality.takes_columns else raw.get(modality.name))
        return ready

    def told(self, raw: Mapping[str, Any], *, on_error: str) -> tuple[dict[str, np.ndarray], str]:
        """As a call, but says what is wrong with a value instead of raising it.

        Args:
            raw: as of a call.
            on_error: "skip" or "absent", as of `Model`.

        Returns:
            (ready, status): the status is "" where all is well, else "refused: CAUSES", or "absent: CAUSES" where each
            value that cannot be used counts as missing.

        Raises:
            ValueError, TypeError: `raw` is no dict, or a name is unknown.
        """
        check_raw(self.names, raw)
        ready, causes, kind = {}, [], ABSENT
        for modality in self.modalities:
            value = raw if modality.takes_columns else raw.get(modality.name)
            try:
                own = modality(value)
                for name in own:
                    check_ready(name, own[name], own.get(f"{name}_mask"))
            except ValueError as error:
                causes.append(str(error))
                if on_error == "absent" and getattr(modality, "optional", False):
                    own = modality({} if modality.takes_columns else None)
                else:
                    own, kind = {}, REFUSED
            ready |= own
        return ready, status_of(kind, causes)


class Model:
    """A `.tflite` of `mmkeras.export.litert`: raw values in, named answers out. Needs `ai-edge-litert`.

    It may be called from several threads: raw values are prepared in parallel, and the interpreter, which is not
    thread-safe, runs one call at a time. Use `threads` for the latency of a single call, and one Model per thread, at
    the cost of memory, for throughput.

    Args:
        path: path of the file, which contains the description of its preprocessing and its answers.
        threads: number of threads of the interpreter.

    Call arguments:
        on_error: what becomes of a value that cannot be used. "raise"; or "skip": the answer is
            `{"status": "refused: CAUSE"}`; or "absent": the same, but such a value of an optional modality counts as
            missing, and the answer's "status" is "absent: CAUSE". With the last two, every answer has a "status", which
            is "" where all is well.
        raw: dict, raw name -> one value; `model.preprocess.names` are the names. Missing values are absent, which only
            optional inputs may be. A value is
            of a text: str;
            of a picture: bytes of its file, or RGB pixels, an array (h, w, 3) of uint8;
            of a sound: bytes of a WAV file, or mono samples at the rate of the spec, an array (N,) of int16, or of
            float32 in [-1, 1] (raw 16-bit PCM in bytes is `np.frombuffer(pcm, "<i2")`);
            of a video: bytes of a GIF, or of a ZIP of frames;
            of a column of a table: number or str;
            of a vector: list or array of numbers.

    Returns:
        dict: for a head of classes `{name: str, name_scores: [float], name_classes: [str]}` (of several classes at
        once without the first), for a regression `{name: float}`, or a list where it has several values.

    Raises:
        ValueError: the file was not written by `mmkeras.export.litert`, or its `preprocess.json` does not describe its
            inputs and outputs; or it does not take one raw example (use `predict` for larger batches, and for inputs of
            layers that are not in mmkeras); or a value is invalid, in which case the message begins with its name.
        TypeError: `raw` is no dict.
    """

    def __init__(self, path: str | PathLike[str], *, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.description = describe(path)
        self.preprocess = Preprocess(self.description["inputs"])
        self._signature = Interpreter(model_path=str(path), num_threads=threads).get_signature_runner()
        self._inputs = self._signature.get_input_details()
        check_signature(
            self.description, self.preprocess.modalities, self._inputs, self._signature.get_output_details()
        )
        self._alone = threading.Lock()

    def __call__(self, raw: Mapping[str, Any], *, on_error: str = "raise") -> dict[str, Any]:
        self._check_one_raw_example()
        check_on_error(on_error)
        if on_error == "raise":
            return self.decode(self.predict(self.preprocess(raw)))
        check_free([head["name"] for head in self.description["outputs"]], on_error)
        ready, status = self.preprocess.told(raw, on_error=on_error)
        if why_refused(status):
            return {STATUS: status}
        return self.decode(self.predict(ready)) | {STATUS: status}

    def _check_one_raw_example(self):
        batch, unprepared = max(int(d["shape"][0]) for d in self._inputs.values()), self.description["unprepared"]
        if unprepared:
            raise ValueError(
                f"Only layers of mmkeras can prepare raw values here. Received: {unprepared}, from another layer. "
                "Compute these tensors yourself, the others with `preprocess`, and call `predict`."
            )
        if batch > 1:
            raise ValueError(
                f"Raw values need a file with a batch of 1. Received: a batch of {batch}. Export it with batch_size=1, "
                "or stack ready tensors and call `predict`."
            )

    def predict(self, ready: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Ready tensors (B, ...) -> outputs of the heads (B, ...) float32, both by name; B is that of the file.

        If the file takes texts of any length, trailing padding is removed in steps of 16 tokens, which saves time; each
        new length makes the interpreter plan its memory again, which costs as much as a short text.

        Raises:
            ValueError: a tensor is missing or has another shape or dtype; or a number is NaN, infinite or beyond 1e12,
                and not masked.
        """
        check_fed(self._inputs, ready)
        for name in self._inputs:
            check_ready(name, np.asarray(ready[name]), ready.get(f"{name}_mask"))
        ready = {**ready, **dict(self._cut(ready))}
        fed = {name: _fed(ready[name], details) for name, details in self._inputs.items()}
        with self._alone:
            outputs = self._signature(**fed)
            return {name: value.copy() for name, value in outputs.items()}  # the interpreter reuses its output buffers

    def _cut(self, ready):
        for name, details in self._inputs.items():
            mask = f"{name}_mask"
            if -1 in details.get("shape_signature", ()) and mask in self._inputs:
                real = np.flatnonzero(ready[mask].any(axis=0))
                length = int(real[-1]) // _STEP * _STEP + _STEP if real.size else _STEP
                yield from ((key, ready[key][:, :length]) for key in (name, mask))

    def decode(self, outputs: Any) -> dict[str, Any]:
        """Outputs of the heads for the first example -> answers."""
        answers = {}
        for head in self.description["outputs"]:
            answers |= ANSWERS[head["kind"]].answers(head, outputs[head["name"]][0])
        return answers


def _fed(value, details):
    """Casts numbers to the dtype of the file's input: int16 for waveforms, or int8 with a scale and a zero point."""
    scale, zero = details["quantization"]
    if value.dtype == np.float32 and details["dtype"] == np.int16 and not scale:
        scale = 2.0**-15
    if not scale or value.dtype == details["dtype"]:
        return np.ascontiguousarray(value)
    limits = np.iinfo(details["dtype"])
    return np.clip(np.rint(value / scale) + zero, limits.min, limits.max).astype(details["dtype"])
