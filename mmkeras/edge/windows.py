"""Answers about a live audio stream, in a window that moves over the samples of a microphone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmkeras.edge.arrays import samples as checked
from mmkeras.edge.runner import Model


class Windows:
    """Asks a model about a sound while it comes in: for keyword spotting and the detection of sound events.

    The model answers for overlapping windows of its clip length, each `step_seconds` after the one before. Use `Stream`
    for transcriptions, whose windows are joined to one text.

    Args:
        model: `edge.Model` of a file with a batch of 1.
        name: of the sound; None where the model has one sound only.
        step_seconds: time from one window to the next; None is half a window.
        raw: dict, the values of other inputs, the same for every window; those left out are absent.

    Call arguments:
        samples: (N,) float32 in [-1, 1], or int16, at the model's `sample_rate`; any number of them. Raw 16-bit PCM in
            bytes is `np.frombuffer(pcm, "<i2")`.

    Returns:
        List of (seconds, answers), one for each window that has become complete: the time of its end since the
        beginning of the sound, and what `model` answers.

    Raises:
        ValueError: the model has no such sound, or the samples are of another kind.
    """

    def __init__(
        self,
        model: Model,
        *,
        name: str | None = None,
        step_seconds: float | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.raw = model, dict(raw or {})
        self._sound = sound_of(model, name)
        self.sample_rate, self._size = self._sound.sample_rate, self._sound.samples
        self._step = step_of(self._sound, step_seconds)
        self.reset()

    def reset(self) -> None:
        """Forgets what was heard."""
        self._waiting = np.zeros(0, "float32")
        self._start = 0  # position of the first waiting sample

    def __call__(self, samples: np.ndarray) -> list[tuple[float, dict[str, Any]]]:
        self._waiting = np.concatenate([self._waiting, checked(self._sound.name, samples)])
        found = []
        while len(self._waiting) >= self._size:
            found.append(self._answered(self._waiting[: self._size]))
            self._waiting = self._waiting[self._step :]
            self._start += self._step
        return found

    def finish(self) -> list[tuple[float, dict[str, Any]]]:
        """Answers for the samples that are left, as the end of the sound. A new sound may begin after it."""
        found = [self._answered(self._waiting)] if len(self._waiting) else []
        self.reset()
        return found

    def _answered(self, window):
        end = (self._start + len(window)) / self.sample_rate
        return end, self.model({**self.raw, self._sound.name: window})


def sound_of(model: Model, name: str | None) -> Any:
    """The sound of that name; None for the only one.

    Raises:
        ValueError: the model has no such sound, or several.
    """
    sounds = {each.name: each for each in model.preprocess.modalities if hasattr(each, "sample_rate")}
    if name not in sounds and not (name is None and len(sounds) == 1):
        raise ValueError(
            f"A stream needs the name of a sound of the model. Received: {name!r}. Sounds: {list(sounds)}."
        )
    return sounds[name or next(iter(sounds))]


def step_of(sound: Any, seconds: float | None) -> int:
    """Samples from one window to the next; None is half a window.

    Raises:
        ValueError: it is not above 0, or longer than a window.
    """
    whole = sound.samples / sound.sample_rate
    step = whole / 2 if seconds is None else seconds
    if not 0 < step <= whole:
        raise ValueError(
            f"step_seconds must be above 0 and at most the window's {whole:g} seconds. Received: {seconds!r}."
        )
    return max(1, round(step * sound.sample_rate))
