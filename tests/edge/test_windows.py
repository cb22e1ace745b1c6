"""A window that moves over a live sound; `Stream` is tested with transcribers."""

import types

import numpy as np
import pytest

from mmkeras import edge

VOICE = edge.Audio("voice", samples=8, sample_rate=4, optional=True)


class Loudest:
    """In place of a model: answers with the largest sample, and the question."""

    def __init__(self, *sounds):
        self.preprocess = types.SimpleNamespace(modalities=[edge.Table("size"), *sounds])

    def __call__(self, raw):
        ready = VOICE(raw["voice"])
        return {"peak": float(ready["voice"].max()), "real": int(ready["voice_mask"].sum()), "size": raw.get("size")}


def answers(found):
    return [(seconds, answer["peak"], answer["real"]) for seconds, answer in found]


@pytest.mark.parametrize("cuts", [[], [1], [3, 4, 17], [10, 11, 12]])
def test_answers_do_not_depend_on_how_the_samples_come(cuts):
    windows = edge.Windows(Loudest(VOICE))
    sound = np.arange(21, dtype="float32") / 32
    found = [one for part in np.split(sound, cuts) for one in windows(part)]
    assert answers(found) == [(2.0, 7 / 32, 8), (3.0, 11 / 32, 8), (4.0, 15 / 32, 8), (5.0, 19 / 32, 8)]
    assert answers(windows.finish()) == [(5.25, 20 / 32, 5)] and windows.finish() == []
    assert answers(windows(sound[:8])) == [(2.0, 7 / 32, 8)]  # a new sound


def test_the_step_and_the_other_inputs_are_given():
    windows = edge.Windows(Loudest(VOICE), name="voice", step_seconds=2, raw={"size": [1.0]})
    pcm = (np.arange(16) * 1024).astype("<i2").tobytes()
    found = windows(np.frombuffer(pcm, "<i2"))
    assert answers(found) == [(2.0, 7 / 32, 8), (4.0, 15 / 32, 8)] and found[0][1]["size"] == [1.0]
    assert windows.sample_rate == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "noise"}, r"A stream needs the name of a sound of the model. Received: 'noise'. Sounds: \['voice'\]"),
        ({"step_seconds": 0}, "step_seconds must be above 0 and at most the window's 2 seconds. Received: 0"),
        ({"step_seconds": 2.5}, "Received: 2.5"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        edge.Windows(Loudest(VOICE), **options)


def test_a_sound_among_several_is_named():
    with pytest.raises(ValueError, match=r"Received: None. Sounds: \['voice', 'noise'\]"):
        edge.Windows(Loudest(VOICE, edge.Audio("noise", samples=8, sample_rate=4)))
    with pytest.raises(ValueError, match="voice: samples are an array"):
        edge.Windows(Loudest(VOICE))(np.zeros((2, 2), "float32"))
