import tensorflow as tf

from mmkeras.data.files.encoded import png_file
from mmkeras.data.files.sizes import picture_size
from mmkeras.data.files.transcode import needs_transcoding, to_png
from mmkeras.data.modalities.base import Media, refusal, whole_pixels
from mmkeras.data.viewing import page


class Image(Media):
    """Pictures: files, including WebP, or pixels of a data set."""

    takes = "a picture of Pillow, or pixels (H, W) or (H, W, C) of whole numbers from 0 to 255"

    def transcoder(self, spec):
        return lambda content: to_png(content, spec.max_pixels)

    def size(self, spec, value):
        return picture_size(value)

    def html(self, spec, name, value):
        return page.picture(value)

    def ready_html(self, spec, layer, ready):
        return page.pixels(ready[spec.name])

    def converter(self, spec, name, leaf, stream):
        if leaf.dtype == tf.string:
            return self.file_converter(spec, name, leaf, stream)
        if leaf.dtype != tf.uint8 or leaf.shape.rank not in (2, 3):
            wanted = "pixels (H, W) or (H, W, C) of uint8, or the bytes of a file"
            raise refusal(name, wanted, leaf, "Unbatch the data set; scale pixels to 0..255 and cast them.")
        return lambda value, position: png_file(value)

    def encoded(self, spec, row, array, rate):
        pixels = array.ndim in (2, 3) and whole_pixels(array)
        return png_file(tf.constant(array, tf.uint8)).numpy() if pixels else None

    def suffix(self, content, suffix):
        return ".webp" if needs_transcoding(content) and not needs_transcoding(suffix) else suffix
