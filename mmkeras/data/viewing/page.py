"""Examples as HTML: thumbnails, audio players, clips, texts. Values from the data are escaped."""

import base64
import html
import io

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

_LARGEST = 160  # pixels per side
_LETTERS = 400  # characters of a text
_EMBEDDED = 2**20  # bytes of a sound
STYLE = """<style>
.mmkeras table{border-collapse:collapse;font-size:13px;color:inherit;background:transparent;margin:.4em 0}
.mmkeras th{text-align:left;font-weight:600;border-bottom:2px solid rgba(128,128,128,.5);padding:4px 10px}
.mmkeras td{text-align:left;vertical-align:top;border-bottom:1px solid rgba(128,128,128,.25);padding:6px 10px;
max-width:24em;overflow-wrap:break-word;white-space:normal}
.mmkeras .wide td{max-width:60em}
.mmkeras .line{white-space:nowrap}
.mmkeras th small,.mmkeras .note{font-weight:400;font-size:11px;opacity:.65;display:block}
.mmkeras .note{width:max-content;max-width:24em}
.mmkeras img{display:block;max-width:none;margin:0}
.mmkeras audio{display:block;width:230px;height:32px}
.mmkeras .small{image-rendering:pixelated}
.mmkeras .token{display:inline-block;background:rgba(128,128,128,.16);border-radius:3px;padding:0 4px;margin:1px}
.mmkeras .unknown{background:rgba(214,64,58,.3)}
.mmkeras .label{font-weight:600;white-space:nowrap}
</style>"""


class View:
    """A page of HTML: a notebook shows it; `save` writes it into a file for a browser.

    >>> View("<p>7</p>", "a number")
    View of a number: the last line of a notebook's cell shows it; save(path) writes it as HTML.
    """

    def __init__(self, body, what):
        self.html, self.what = f'{STYLE}<div class="mmkeras">{body}</div>', what

    def _repr_html_(self):
        return self.html

    def __repr__(self):
        return f"View of {self.what}: the last line of a notebook's cell shows it; save(path) writes it as HTML."

    def save(self, path):
        """Writes it as an HTML page."""
        head = f'<!doctype html><meta charset="utf-8"><title>{text(self.what)}</title>'
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{head}<body style='font-family:sans-serif'>{self.html}</body>")


def text(value, most=_LETTERS):
    """Escaped text, cut where it is long.

    >>> text("<b>"), text("abc", most=2)
    ('&lt;b&gt;', 'ab…')
    """
    value = str(value)
    return html.escape(value if len(value) <= most else f"{value[:most]}…")


def note(value):
    return f'<span class="note">{text(value)}</span>'


def table(headings, rows, kind=""):
    """A table from headings and cells, all HTML."""
    head = "".join(f"<th>{cell}</th>" for cell in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{kind}">' + f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def numbers(values, most=6):
    """The first of several numbers, and how many there are.

    >>> numbers(np.float32([0.5])), numbers(np.arange(9.0), most=2)
    ('0.5', '[0, 1, …] <span class="note">9 numbers</span>')
    """
    flat = np.ravel(values)
    listed = ", ".join(f"{value:.4g}" for value in flat[:most].tolist())
    if len(flat) == 1:
        return listed
    return f"[{listed}{', …' if len(flat) > most else ''}] {note(f'{len(flat)} numbers')}"


def picture(content):
    """The bytes of a picture -> an upright thumbnail."""
    try:
        whole = Pillow.open(io.BytesIO(content))
    except UnidentifiedImageError as error:  # its message shows the address of an object in memory
        raise ValueError("it is no picture that Pillow knows") from error
    with whole as opened:
        told = f"{opened.width} × {opened.height} {opened.format}"
        opened.draft("RGB", (2 * _LARGEST, 2 * _LARGEST))
        small = ImageOps.exif_transpose(opened)
        small.thumbnail((_LARGEST, _LARGEST))
        return _image(small) + note(told)


def pixels(values):
    """Pixels (H, W, C) uint8 -> an image; a small one is enlarged so that each pixel is visible."""
    height, width = values.shape[:2]
    return _image(_pillow(values)) + note(f"{width} × {height}")


def frames(values, told):
    """Pixels (F, H, W, C) uint8 -> an animated GIF."""
    first, *others = map(_pillow, values)
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=200, loop=0)
    return _img(file.getvalue(), "gif", first.size) + note(told)


def _pillow(values):
    return Pillow.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values)


def _image(opened):
    file, kind = io.BytesIO(), "png" if opened.width * opened.height < 2**14 or "A" in opened.mode else "jpeg"
    plain = opened if opened.mode in ("RGB", "L", "RGBA", "LA") else opened.convert("RGBA")
    (plain.convert("RGB") if kind == "jpeg" else plain).save(file, kind)
    return _img(file.getvalue(), kind, opened.size)


def _img(content, kind, size):
    width, height = size
    scale = max(1.0, 96 / max(width, height))
    scale = min(scale, _LARGEST / max(width, height)) if max(width, height) > _LARGEST else scale
    small = ' class="small"' if scale > 1 else ""
    return (
        f'<img{small} width="{round(width * scale)}" height="{round(height * scale)}" alt="" '
        f'src="{_uri(content, f"image/{kind}")}">'
    )


def sound(content, kind, told):
    """The bytes of a sound that browsers can play -> an audio player."""
    return f'<audio controls preload="metadata" src="{_uri(content, f"audio/{kind}")}"></audio>{note(told)}'


def curve(samples, width=230, height=36):
    """A waveform (S,) in [-1, 1] -> a plot of the range of its samples over time."""
    parts = np.array_split(np.asarray(samples, "float32"), min(width, max(len(samples), 1)))
    middle = height / 2
    lines = [f"M{x} {middle * (1 - _edge(part, np.max)):.1f}V{middle * (1 - _edge(part, np.min)) + 0.5:.1f}"
             for x, part in enumerate(parts)]  # fmt: skip
    path = f'<path d="{"".join(lines)}" stroke="currentColor" stroke-width="1" opacity=".7"/>'
    return f'<svg width="{width}" height="{height}" style="display:block">{path}</svg>'


def _edge(part, extreme):
    return float(np.clip(extreme(part), -1, 1)) if len(part) else 0.0


def _uri(content, kind):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
