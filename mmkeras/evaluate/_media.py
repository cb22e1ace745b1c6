"""Raw values of one example as HTML: a text, a picture, a sound or a clip that plays, numbers."""

import base64
import html
import io

import numpy as np
from PIL import Image

_SIDE, _TEXT = 240, 400


def shown(spec, raw, ready):
    """HTML of one modality of an example.

    Args:
        spec: its spec.
        raw: dict of its raw values.
        ready: dict of its ready tensors (...), of which pictures and clips are made: what the model sees.
    """
    mask = ready.get(f"{spec.name}_mask")
    if mask is not None and not np.any(mask):
        return f"<p>{html.escape(spec.name)}: <em>absent</em></p>"
    show = KINDS.get(spec.kind)
    return show(spec, raw, ready[spec.name]) if show else f"<p>{html.escape(spec.name)}: {html.escape(spec.kind)}</p>"


def _text(spec, raw, ready):
    value = raw[spec.name].decode("utf-8", "replace")
    value = value if len(value) <= _TEXT else f"{value[:_TEXT]} …"
    return f"<p>{html.escape(spec.name)}: <q>{html.escape(value)}</q></p>"


def _image(spec, raw, ready):
    file = io.BytesIO()
    _pillow(ready).save(file, "PNG")
    return _tag("img", spec, "image/png", file.getvalue(), ">")


def _audio(spec, raw, ready):
    return _tag("audio controls", spec, "audio/wav", raw[spec.name], "></audio>")


def _video(spec, raw, ready):
    first, *rest = [_pillow(frame) for frame in ready]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=rest, duration=120, loop=0)
    return _tag("img", spec, "image/gif", file.getvalue(), ">")


def _table(spec, raw, ready):
    cells = (f"{name}: {_value(raw[name])}" for name in spec.raw)
    return f"<p>{html.escape('; '.join(cells))}</p>"


def _vector(spec, raw, ready):
    return f"<p>{html.escape(spec.name)}: vector of {spec.size} numbers</p>"


def _value(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") or "missing"
    return f"{float(value):g}" if np.isfinite(value) else "missing"


def _pillow(pixels):
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    scale = min(_SIDE / max(picture.size), 8)
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    return picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def _tag(tag, spec, kind, content, end):
    source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    label = "aria-label" if "audio" in tag else "alt"
    return f'<{tag} src="{source}" {label}="{html.escape(spec.name)}"{end}'


KINDS = {"text": _text, "image": _image, "audio": _audio, "video": _video, "table": _table, "vector": _vector}
