"""Transcription of a live audio stream, in a window that moves over the samples of a microphone."""

import numpy as np

from mmkeras.edge.arrays import samples as checked
from mmkeras.edge.runner import Model
from mmkeras.edge.transcription import log_softmax, spelled
from mmkeras.edge.windows import sound_of, step_of


class Stream:
    """Writes down a sound while it comes in, by a transcription model of clips of one length.

    The model is run on overlapping windows of its clip length, each `step_seconds` after the one before. Of each window
    only the time steps in its middle are used, for which the model has heard what comes before and after. They are
    decoded as those of one clip: the most probable unit of each time step, repetitions merged, blanks dropped. The text
    lags behind the sound by half of the overlap, (window - step) / 2.

    A window may begin in the middle of a sentence, so train the model on windows that do. One that was trained on whole
    sentences of GRID had a word error rate of 0.08 clip by clip, and 0.40 on a stream of the same clips.

    Other modalities are absent.

    Args:
        model: `edge.Model` of a file with a batch of 1 and one transcription.
        name: of the sound; None where the model has one sound only.
        step_seconds: time from one window to the next; None is half a window. Shorter ones cost more and are more
            accurate.

    Call arguments:
        samples: (N,) float32 in [-1, 1], or int16, at the model's `sample_rate`; any number of them.

    Returns:
        The text so far.

    Raises:
        ValueError: the model has no such sound or no transcription, another modality must not be absent, or the samples
            are of another kind.
    """

    def __init__(self, model: Model, *, name: str | None = None, step_seconds: float | None = None) -> None:
        self.model = model
        self._sound = sound_of(model, name)
        self.sample_rate, self._size = self._sound.sample_rate, self._sound.samples
        self._head = self._transcription()
        self._step = step_of(self._sound, step_seconds)
        self._absent = self._others()
        self.reset()

    def reset(self) -> None:
        """Forgets what was heard."""
        self._waiting = np.zeros(0, "float32")
        self._start = self._last = 0  # position of the first waiting sample; unit of the last step
        self._done = 0  # number of samples whose steps have been decoded
        self._ids = []

    def __call__(self, samples: np.ndarray) -> str:
        self._waiting = np.concatenate([self._waiting, checked(self._sound.name, samples)])
        while len(self._waiting) >= self._size:
            self._read(self._size, self._start + (self._size + self._step) // 2)
            self._waiting = self._waiting[self._step :]
            self._start += self._step
        return spelled(self._head, self._ids)

    def finish(self) -> str:
        """Reads what is left, as the end of the sound; returns the whole text. A new sound may begin after it."""
        if len(self._waiting):
            self._read(len(self._waiting), self._start + len(self._waiting))
        text = spelled(self._head, self._ids)
        self.reset()
        return text

    def _read(self, count, end):
        """Runs the model on a window of `count` samples, and takes its steps from `_done` up to the sample `end`."""
        wave = np.zeros((1, self._size), "float32")
        wave[0, :count] = self._waiting[:count]
        ready = {self._sound.name: wave, f"{self._sound.name}_mask": np.arange(self._size)[None] < count}
        logits = self.model.predict(self._absent | ready)[self._head["name"]][0]
        each = self._size / len(logits)  # samples per step
        first, last = (round((sample - self._start) / each) for sample in (self._done, end))
        for unit in log_softmax(logits).argmax(-1)[first:last].tolist():
            if unit not in (0, self._last):
                self._ids.append(unit)
            self._last = unit
        self._done = end

    def _transcription(self):
        heads = [head for head in self.model.description["outputs"] if head["kind"] == "transcription"]
        if len(heads) != 1:
            kinds = [head["kind"] for head in self.model.description["outputs"]]
            raise ValueError(
                f"A stream needs a model with one transcription head. Received: heads of the kinds {kinds}."
            )
        return heads[0]

    def _others(self):
        """Ready tensors of the absent modalities."""
        others = [each for each in self.model.preprocess.modalities if each is not self._sound]
        required = [each.name for each in others if not getattr(each, "optional", False)]
        if required:
            raise ValueError(f"A stream provides sound only. Received: a model that also needs {required}. "
            "Train it with "
                             "optional=True in their specs.")  # fmt: skip
        ready = [each({} if each.takes_columns else None) for each in others]
        return {name: value for tensors in ready for name, value in tensors.items()}
