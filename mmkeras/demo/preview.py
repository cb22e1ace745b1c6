"""The frames of a clip that a model is given, as HTML, below the widget that takes a GIF, a ZIP of frames or a movie.

Browsers show neither a ZIP of frames nor every movie, and none says which frames are taken.
"""

import base64
import html
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmkeras import edge
from mmkeras.demo.values import converted

_LEAST = 64  # pixels of the longer side; smaller frames are enlarged
_ARGUMENTS = ("frames", "size", "channels", "resize", "max_pixels")


def frames_of(each: Any, path: str | Path | None) -> str:
    """The frames of a clip in order; the cause where it cannot be used; "" without one.

    Args:
        each: the input, see `page`, whose spec says how many frames are taken and how large they are.
        path: of the file that was put into its widget.
    """
    if path is None:
        return ""
    try:
        clip = edge.KINDS[each.kind](each.name, **{name: getattr(each.spec, name) for name in _ARGUMENTS})
        ready = clip(converted(each, Path(path).read_bytes()))
    except (ValueError, ImportError, OSError) as error:
        return f'<div class="refused" role="alert">{html.escape(str(error))}</div>'
    frames = ready[each.name][0][ready[f"{each.name}_mask"][0]]
    pictures = "".join(_picture(frame, f"frame {number}") for number, frame in enumerate(frames, 1))
    return f'<div class="frames">{pictures}</div>'


def _picture(pixels, title):
    scale = max(1, -(-_LEAST // max(pixels.shape[:2])))
    picture, file = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), io.BytesIO()
    picture.resize(np.multiply(picture.size, scale).tolist(), Image.Resampling.NEAREST).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{title}" title="{title}">'
