"""The page: widgets for the inputs of an export on the left, its answers on the right."""

import contextlib
import functools
import html
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from mmkeras.demo import answers as shown
from mmkeras.demo import without
from mmkeras.demo.example import held
from mmkeras.demo.preview import frames_of
from mmkeras.demo.values import row_of
from mmkeras.demo.widgets import is_slider, widget

_PLACE = re.compile(r" \(example \d+ of the batch\)")  # said by graphs, of a batch that nobody sees here
_EMPTY = "The answer appears here."
_STYLE = Path(__file__).with_name("style.css")


class Served(NamedTuple):
    """An export, as a page needs it.

    Attributes:
        name: of the model, the title of the page.
        note: a sentence on its version and format.
        inputs: list of raw inputs: `name`, `modality`, `kind`, `dtype`, `shape`, `optional`, `spec` and `known` (what
            was learned of a column of a table: mean and deviation, or its categories; None where it is unknown).
        answer: function of a list of raw examples -> dict of arrays (n, ...) by name; raises ValueError for one that
            cannot be used.
        examples: list of raw examples, dicts by input name.
    """

    name: str
    note: str
    inputs: Sequence[Any]
    answer: Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]]
    examples: Sequence[Mapping[str, Any]] = ()


def page(served: Served) -> gr.Blocks:
    """A page of Gradio; `launch` of what is returned serves it.

    What cannot be used is told on the page, with the input and the cause. If modalities may be absent, the page also
    shows the answers without each of them.
    """
    files = tempfile.TemporaryDirectory(prefix="mmkeras-demo-")  # of the examples, as long as the page is there
    examples = [held(row, served.inputs, Path(files.name)) for row in served.examples]
    with gr.Blocks(title=served.name, analytics_enabled=False) as blocks:
        blocks.files = files
        gr.Markdown(f"# {served.name}\n\n{served.note}")
        with gr.Row():
            with gr.Column():
                widgets, left_out = _widgets(served.inputs, examples)
                with gr.Row():
                    clear = gr.Button("Clear all", min_width=100)
                    ask = gr.Button("Ask", variant="primary", min_width=100)
            with gr.Column():
                answer = gr.HTML(_note(_EMPTY), elem_id="answer")
        every = [*widgets, *left_out]
        if examples:
            rows = [_row(row, served.inputs, left_out) for row in examples]
            gr.Examples(rows, inputs=every, label="Recorded when the model was exported")
        ask.click(_asked(served), every, answer, api_name="ask")
        _add_clear(clear, every, answer)
    return blocks


def style() -> str:
    """CSS of the page, for `launch`."""
    return _STYLE.read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Gradio's own, without fonts from elsewhere: a page for a laptop or a closed network."""
    return gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])


def _widgets(inputs, examples):
    """Widgets in the order of the inputs, and for tables with sliders the boxes of those that are left out."""
    found, left_out = [], []
    for modality in dict.fromkeys(each.modality for each in inputs):
        own = [each for each in inputs if each.modality == modality]
        with gr.Group() if own[1:] else contextlib.nullcontext():
            for each in own:
                found.append(widget(each, [example[each.name] for example in examples]))
                if hasattr(each.spec, "frames"):
                    _add_preview(each, found[-1])
            sliders = [each.name for each in own if is_slider(each) and each.optional]
            if sliders:
                left_out.append(gr.CheckboxGroup(sliders, label="Leave out"))
    return found, left_out


def _add_preview(each, clip):
    frames = gr.HTML(elem_classes="clip-frames")
    clip.change(functools.partial(frames_of, each), clip, frames, api_visibility="private", show_progress="hidden")


def _row(example, inputs, left_out):
    """What the widgets and the boxes hold for an example."""
    skipped = [[name for _, name in box.choices if example[name] is None] for box in left_out]
    return [*(example[each.name] for each in inputs), *skipped]


def _add_clear(clear, every, answer):
    empty = [each.value for each in every]
    clear.click(lambda: [*empty, _note(_EMPTY)], None, [*every, answer], api_visibility="private")


def _asked(served):
    """Function of what all widgets hold -> HTML."""

    def asked(*values):
        names = [each.name for each in served.inputs]
        skipped = {name for box in values[len(names) :] for name in box or ()}
        held = {name: None if name in skipped else value for name, value in zip(names, values, strict=False)}
        started = time.perf_counter()
        try:
            return _answered(served, row_of(held, served.inputs), started)
        except (ValueError, ImportError, OSError) as error:
            said = _PLACE.sub("", str(error))
            return f'<div class="refused" role="alert">{html.escape(said)}</div>'

    return asked


def _answered(served, row, started):
    found = _first(served.answer([row]))
    took = time.perf_counter() - started
    names = without.modalities_of(row, served.inputs)
    others = {name: _first(served.answer([without.without(row, name, served.inputs)])) for name in names}
    return f"{shown.as_html(found)}{without.as_html(found, others)}{_note(f'Answered in {1000 * took:.0f} ms.')}"


def _first(found):
    return {name: _plain(value.tolist()[0]) for name, value in found.items()}


def _plain(value):
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _note(text):
    return f'<p class="note">{html.escape(text)}</p>'
