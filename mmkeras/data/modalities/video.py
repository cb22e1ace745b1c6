import os

import tensorflow as tf

from mmkeras.data.files import archives
from mmkeras.data.files.clips import as_clip, check_decoder, clip_of_pixels, clip_reader, needs_frames
from mmkeras.data.files.sizes import clip_size
from mmkeras.data.modalities.base import Media, check_scalar, file_reader, refusal, whole_pixels
from mmkeras.data.python_function import python_function
from mmkeras.data.viewing import page
from mmkeras.edge import Video as Frames

_LARGEST, _SHOWN = 160, 16  # pixels per side, and number of frames, shown


class Video(Media):
    """Clips: files, folders and archives of frames, or pixels of a data set."""

    takes = "frames (F, H, W, C) of whole numbers from 0 to 255, or a list of pictures of one size"

    @staticmethod
    def found(root, known, value):
        """As for files, but the path may also be a folder or an archive."""
        whole = root / os.path.expanduser(value)
        path = os.path.join(archives.on_disk(str(whole.parent), known), whole.name)
        return path, None if os.path.isfile(path) or os.path.isdir(path) else archives.absence(path)

    def reader(self, spec, values):
        check_decoder(spec.name, values)
        if any(map(needs_frames, values)):
            return clip_reader(spec.name, spec.frames, spec.max_pixels)
        return file_reader(spec.name, None)

    def size(self, spec, value):
        return clip_size(value)

    def html(self, spec, name, value):
        size = clip_size(value)
        height, width = size["height"], size["width"]
        scale = min(1.0, _LARGEST / max(height, width))
        small = max(round(height * scale), 1), max(round(width * scale), 1)
        read = Frames(name, frames=_SHOWN, size=small, max_pixels=spec.max_pixels)(value)
        return page.frames(read[name][0][read[f"{name}_mask"][0]], f"{size['frames']} frames, {width} × {height}")

    def ready_html(self, spec, layer, ready):
        real = ready[spec.name][ready[f"{spec.name}_mask"]]
        return page.frames(real, f"{len(real)} of {spec.frames} frames, {real.shape[2]} × {real.shape[1]}")

    def converter(self, spec, name, leaf, stream):
        if leaf.dtype == tf.string:
            check_scalar(name, leaf)
            check_decoder(name, stream.first(name, 100))  # fail early; later examples are checked as they are read
            return _in_python(lambda value: as_clip(name, value.numpy(), spec.frames, spec.max_pixels))
        if leaf.dtype != tf.uint8 or leaf.shape.rank != 4:
            wanted = "frames (N, H, W, C) of uint8, or the bytes of a file"
            raise refusal(name, wanted, leaf, "Unbatch the data set; scale pixels to 0..255 and cast them.")
        return _in_python(lambda value: clip_of_pixels(value.numpy()))

    def encoded(self, spec, row, array, rate):
        return clip_of_pixels(array.astype("uint8")) if array.ndim == 4 and whole_pixels(array) else None


def _in_python(make):
    return lambda value, position: tf.ensure_shape(python_function(make, [value], tf.string, eager=True), ())
