"""The page of `mmkeras demo`: an exported model to try in a browser, for `pip install "mmkeras[demo]"`.

page      the whole page, of Gradio
widgets   a widget for each raw input, by its kind
preview   the frames that are taken of a clip
values    what widgets hold -> raw values of one example
example   the request that an export recorded -> what widgets hold
answers   answers -> HTML: bars of scores, numbers, texts
without   the answers again, with one modality left out
"""

try:
    import gradio as _gradio  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"mmkeras.demo needs gradio. Received: {error}. Install it: pip install 'mmkeras[demo]'."
    ) from error

from mmkeras.demo.page import Served, page

__all__ = ["Served", "page"]
