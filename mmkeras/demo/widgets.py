"""A Gradio widget for each raw input, by its kind."""

import math
from collections.abc import Sequence
from typing import Any

import gradio as gr

_MOST_CHOICES = 12  # fewer are buttons, more a list to choose from
_SPREAD = 3  # deviations from the mean that a slider reaches
_HEIGHT = 220  # pixels of a picture or clip


def widget(each: Any, examples: Sequence[Any] = ()) -> gr.components.Component:
    """The widget of an input.

    Args:
        each: the input, see `page`.
        examples: what the widget holds in the recorded examples; they lie within the range of a slider.
    """
    makers = {"image": _picture, "audio": _sound, "video": _clip, "text": _text, "table": _column}
    return makers.get(each.kind, _numbers if each.shape else _text)(each, label_of(each), examples)


def label_of(each: Any) -> str:
    return f"{each.name} (optional)" if each.optional else each.name


def is_slider(each: Any) -> bool:
    """Whether an input has a slider, which always holds a number: leaving it out needs a box to tick."""
    return each.kind == "table" and each.dtype != "string" and each.known is not None


def _picture(each, label, examples):
    picture = gr.Image(label=label, type="filepath", sources=["upload", "webcam", "clipboard"], height=_HEIGHT,
                       image_mode=None, buttons=["fullscreen"],
                       webcam_options=gr.WebcamOptions(mirror=False))  # fmt: skip
    # Gradio opens the file, and fails with a trace if it is damaged: the export itself says what is wrong with it.
    # No subclass, since Gradio writes a .pyi file beside the module of each.
    opened = picture.preprocess
    picture.preprocess = lambda payload: payload.path if payload and payload.path else opened(payload)
    return picture


def _sound(each, label, examples):
    return gr.Audio(label=label, type="filepath", sources=["upload", "microphone"], editable=False, buttons=[])


def _clip(each, label, examples):
    return gr.File(label=f"{label}: GIF, ZIP or movie", type="filepath",
                   file_types=["video", ".gif", ".zip", ".webp", ".apng"], height=_HEIGHT // 2)  # fmt: skip


def _text(each, label, examples):
    return gr.Textbox(label=label, lines=2 if each.kind == "text" else 1)


def _numbers(each, label, examples):
    return gr.Textbox(label=label, placeholder=f"{math.prod(each.shape)} numbers: 0.5, 1, ...")


def _column(each, label, examples):
    if each.dtype != "string":
        return _slider(each, label, examples) if is_slider(each) else gr.Number(label=label, value=None, placeholder="")
    if each.known is None:
        return gr.Textbox(label=label, placeholder="2024-01-31 18:30" if each.about == "date" else None)
    if len(each.known) <= _MOST_CHOICES:
        choices = [*each.known, *([("none", "")] if each.optional else [])]
        return gr.Radio(choices, label=label, value="" if each.optional else None)
    return gr.Dropdown(each.known, label=label, value=None, allow_custom_value=True)


def _slider(each, label, examples):
    low, high, step = range_of(*each.known, [value for value in examples if value is not None])
    return gr.Slider(low, high, value=each.known[0], step=step, label=label)


def range_of(mean: float, std: float, examples: Sequence[float]) -> tuple[float, float, float]:
    """Least and largest value of a slider, and its step, in round numbers."""
    step = 10.0 ** math.floor(math.log10(std / 10)) if std > 0 else 0.1
    low = min([mean - _SPREAD * std, *examples]) / step
    high = max([mean + _SPREAD * std, *examples]) / step
    return math.floor(round(low, 6)) * step, math.ceil(round(high, 6)) * step, step
