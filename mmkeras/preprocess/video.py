"""GIF files and ZIP files of frames -> uint8 pixels of a fixed size and number of frames."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess import faults, gif, zipped
from mmkeras.preprocess._layer import RawLayer
from mmkeras.preprocess.checksum import crc32
from mmkeras.preprocess.headers import first_true, kept, length, peek, refuse, spells
from mmkeras.preprocess.image import DecodeImage
from mmkeras.preprocess.picture import is_text

_NEEDED = "a GIF, or a ZIP file of stored JPEG or PNG frames, is needed"
_SEND = "mmkeras.data makes such a ZIP of files whose names end in .mp4, .avi, .webm, .webp, ...: send what it makes."
_FETCH = "Was it copied or downloaded whole? Leave it out, or fetch it again."
MESSAGES = [
    (f"{_NEEDED}; nothing came.", "Give the file's bytes, or say optional=True in its spec: then b'' means absent."),
    (f"{_NEEDED}; this is a video of another kind.", _SEND),
    (f"{_NEEDED}; this is a picture.", "Are the keys of two modalities swapped?"),
    (f"{_NEEDED}; this looks like text.",
     "Give the file's bytes: not its path, not base64; or the keys of two modalities are swapped."),
    (f"{_NEEDED}.", "Convert it; or are the keys of two modalities swapped?"),
    ("the GIF is cut off or damaged: its blocks do not lead to the mark of its end.", _FETCH),
    ("a GIF is damaged: not all of its frames can be decoded.", _FETCH),
    ("a frame may have max_pixels={0} pixels at most, those of a GIF {1} together.",
     "Make it smaller or shorter, or raise max_pixels in its spec: a GIF is held in memory as a whole."),
    *zipped.MESSAGES,
]  # fmt: skip
_CUT_OFF, _NOT_ALL, _LARGE, _CHECKSUM = 6, 7, 8, 8 + zipped.DAMAGED  # indices of messages, counted from 1
_MOST_OF_GIF = 4  # times `max_pixels`, for all frames together


@keras.saving.register_keras_serializable("mmkeras")
class DecodeVideo(RawLayer):
    """Decodes videos to uint8 pixels of a fixed size and number of frames, in the graph.

    **Formats.** Either a GIF (each frame is drawn over the previous ones, the first one over white; disposal methods
    and timing are ignored); or a ZIP file whose members are the frames, JPEG or PNG, and nothing else but folders,
    *stored*, not compressed. The frames are used in the order in which they are stored in the ZIP file, whatever their
    names; write them in temporal order, for example with `ls -v frames/*.jpg | zip -0 -j clip.zip -@` (without `ls -v`
    the shell puts 10 before 2), Python's `zipfile` or JSZip. `mmkeras.data` sorts the frames that it reads by name, 2
    before 10. A GIF has 256 colours and is decoded as a whole; of a ZIP file, only the frames that are used are
    decoded. Only TensorFlow's own ops are used, so that the layer can be exported and served.

    **Checks.** For a GIF, that its blocks lead to its trailer and that all its frames can be decoded (wrong colours in
    a frame may not be detected; `mmkeras.edge` detects more); data after the trailer are ignored. For a ZIP file, the
    headers of all members, and the checksums of the frames that are used.

    **Sampling.** If N <= F, all N frames are used; otherwise the middle ones of F parts of equal length, frame
    floor((2i + 1) N / 2F) for i = 0 ... F - 1. Each is decoded and resized as by `DecodeImage`.

    Masking: True marks real frames, which come first. The others are 0.

    Args:
        frames: F, number of frames of the result.
        size, channels, resize: of each frame, as in `DecodeImage`.
        optional: `b""` means absent; it is refused otherwise.
        max_pixels: largest height times width of a frame; all frames of a GIF together, which are decoded at once, may
            have four times as many pixels. Larger ones are refused.
        name: MODALITY_preprocess; errors begin with the modality.

    Call arguments:
        x: (B,) string, the bytes of one file each.

    Returns:
        (B, F, H, W, C) uint8 pixels, and the mask (B, F) bool.

    Raises:
        tf.errors.InvalidArgumentError: a file or a frame is missing, of another format, too large, or damaged.

    Example:

    >>> import io, zipfile
    >>> frames = [tf.io.encode_png(tf.fill([1, 1, 3], tf.constant(value, "uint8"))).numpy() for value in range(4)]
    >>> with zipfile.ZipFile(clip := io.BytesIO(), "w") as file:
    ...     for i, frame in enumerate(frames):
    ...         file.writestr(f"{i}.png", frame)
    >>> pixels, mask = DecodeVideo(frames=2, size=(1, 1), channels=1, name="clip")(tf.constant([clip.getvalue()]))
    >>> pixels.numpy().ravel().tolist(), mask.numpy().tolist()
    ([1, 3], [[True, True]])
    """

    tells = True

    def __init__(
        self,
        frames: int,
        *,
        size: Sequence[int],
        channels: int = 3,
        resize: str = "stretch",
        optional: bool = False,
        max_pixels: int = 48_000_000,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if frames < 1:
            raise ValueError(f"frames must be at least 1. Received: frames={frames!r} in '{self.modality}'.")
        self.frames, self.size, self.channels, self.resize = frames, tuple(size), channels, resize
        self.optional, self.max_pixels = optional, max_pixels
        self.picture = DecodeImage(
            size, channels=channels, resize=resize, optional=True, max_pixels=max_pixels, name=self.name
        )
        self.picture.built = True  # it has no weights
        self.supports_jit = False

    def call(self, x):
        is_gif, is_zip, problem = _look(x, self.optional)
        blocks = gif.blocks(x, is_gif)
        one, most = blocks.height * blocks.width, self.max_pixels
        large = is_gif & ((one > most) | (one * blocks.count > most * _MOST_OF_GIF))
        problem = tf.where(blocks.broken, _CUT_OFF, tf.where(large, _LARGE, problem))
        starts, sizes, sums, counts, wrong = zipped.members(x, is_zip)
        problem = tf.where(wrong > 0, wrong + len(MESSAGES) - len(zipped.MESSAGES), problem)
        messages = [(rule.format(most, most * _MOST_OF_GIF), remedy) for rule, remedy in MESSAGES]
        given = blocks
        x = refuse(x, self.modality, problem, messages, lambda: _told_size(given, is_gif))
        blocks, counts = kept((blocks, counts), x)
        index, mask = chosen(counts, self.frames)
        taken = (tf.where(mask, tf.gather(values, index, batch_dims=1), 0) for values in (starts, sizes, sums))
        starts, sizes, sums = taken
        files = zipped.contents(x, starts, sizes)
        shape = (-1, self.frames, *self.size, self.channels)
        nothing = tf.zeros((tf.size(files), *shape[2:]), tf.uint8)
        pixels = self._if(is_zip, lambda: self._pictures(x, files, sums), lambda: nothing, x)
        pixels = tf.reshape(pixels, shape)
        return self._if(is_gif, lambda: self._with_gifs(x, blocks, pixels, mask), lambda: (pixels, mask), x)

    def _if(self, any_of, function, otherwise, x):
        """`tf.cond`; faults that are told leave its branch."""
        branches = (lambda each=each: faults.within(each, self.modality, x) for each in (function, otherwise))
        result, texts = tf.cond(tf.reduce_any(any_of), *branches)
        if faults.telling():
            faults.telling().add(self.modality, texts)
        return result

    def _pictures(self, x, files, sums):
        found = tf.map_fn(crc32, tf.reshape(files, [-1]), fn_output_signature=tf.int64)
        wrong = tf.reduce_any(tf.reshape(found, tf.shape(sums)) != sums, axis=1)
        with tf.control_dependencies([refuse(x, self.modality, tf.where(wrong, _CHECKSUM, 0), MESSAGES)]):
            files = tf.identity(files)

        def place(row):
            frame, example = (tf.strings.as_string(n) for n in (row % self.frames, row // self.frames))
            return tf.strings.join(["number ", frame, " of the frames taken, example ", example, " of the batch"])

        files = tf.reshape(files, [-1])
        pixels, texts = faults.within(lambda: self.picture.decode(files, place)[0], self.modality, files)
        if faults.telling():
            texts = tf.reshape(texts, tf.shape(sums))
            first = tf.gather(texts, tf.argmax(tf.cast(texts != "", tf.int32), axis=1), batch_dims=1)
            faults.telling().add(self.modality, first)
        return pixels

    def _with_gifs(self, x, blocks, pixels, mask):
        def one(example):
            file, where, pixels, mask = example
            return tf.cond(where[2] > 0, lambda: self._gif(file, where), lambda: (pixels, mask, where[2]))

        result = tf.TensorSpec(pixels.shape[1:], tf.uint8), tf.TensorSpec(mask.shape[1:], tf.bool)
        result += (tf.TensorSpec((), tf.int64),)
        try:
            where = blocks.start, blocks.end, blocks.count, blocks.height, blocks.width
            everything = (x, where, pixels, mask)
            (pixels, mask, decoded), _ = faults.each(one, everything, result)
        except tf.errors.InvalidArgumentError as error:
            # In eager mode only; in a graph, the name of the failing node contains the layer's name.
            message = f"{self.modality}: a GIF is damaged, leave it out. Received: {error.message}"
            raise tf.errors.InvalidArgumentError(None, None, message) from error
        problem = tf.where(decoded == blocks.count, 0, _NOT_ALL)

        def details():
            numbers = tf.strings.as_string(decoded), tf.strings.as_string(blocks.count)
            return tf.strings.join([", ", numbers[0], " of ", numbers[1], " frames"])

        with tf.control_dependencies([refuse(x, self.modality, problem, MESSAGES, details)]):
            return tf.identity(pixels), tf.identity(mask)

    def _gif(self, file, where):
        frames, decoded = gif.decode(file, *where, self.max_pixels)
        count = tf.shape(frames, tf.int64)[:1]
        index, mask = chosen(count, self.frames)
        pixels = self.picture.fit(tf.gather(frames, tf.boolean_mask(index, mask)))
        missing = self.frames - tf.shape(pixels)[0]
        pixels = tf.pad(pixels, [[0, missing], [0, 0], [0, 0], [0, 0]])
        return tf.ensure_shape(pixels, (self.frames, *self.size, self.channels)), mask[0], decoded

    def compute_output_spec(self, x):
        shape = (x.shape[0], self.frames)
        pixels = keras.KerasTensor((*shape, *self.size, self.channels), "uint8")
        return pixels, keras.KerasTensor(shape, "bool")

    def example(self, rng: np.random.Generator) -> dict[str, list[Any]]:
        pixels = rng.integers(0, 256, (self.frames, *self.size, 3), "uint8")
        # A full clip, and one that needs padding.
        return {self.modality: [_clip(pixels), _clip(pixels[: (self.frames + 1) // 2])]}

    def describe(self) -> dict[str, Any] | None:
        return self.picture.describe() | {"kind": "video", "frames": self.frames}

    def get_config(self):
        own = {"frames": self.frames, "size": self.size, "channels": self.channels, "resize": self.resize}
        return {**super().get_config(), **own, "optional": self.optional, "max_pixels": self.max_pixels}


def chosen(counts, frames):
    """Indices of the frames that are used.

    Args:
        counts: N, (B,) int64.
        frames: F.

    Returns:
        (B, F) int64, indices, 0 where the mask (B, F) bool is False.

    Example:

    >>> chosen(tf.constant([5, 2], "int64"), 3)[0].numpy().tolist()
    [[0, 2, 4], [0, 1, 0]]
    """
    counts, places = counts[:, None], tf.range(frames, dtype=tf.int64)[None]
    mask = places < counts
    index = tf.where(counts > frames, (2 * places + 1) * counts // (2 * frames), places)
    return tf.where(mask, index, 0), mask


def _told_size(blocks, is_gif):
    """ ", 9 frames of 40 x 60 pixels (h x w)", for the message; (B,) string."""
    count, height, width = (tf.strings.as_string(n) for n in (blocks.count, blocks.height, blocks.width))
    told = tf.strings.join([", ", count, " frames of ", height, " x ", width, " pixels (h x w)"])
    return tf.where(is_gif & ~blocks.broken, told, "")


def _look(x, optional):
    """Whether each file is a GIF, whether it is a ZIP file, (B,) bool; and the number of its problem, (B,) int32."""
    head = peek(x, tf.zeros_like(length(x)), 12)
    is_gif = spells(head, b"GIF87a") | spells(head, b"GIF89a")
    is_zip, empty = spells(head, b"PK"), tf.equal(x, b"")
    riff, unknown = spells(head, b"RIFF"), ~(is_gif | is_zip | empty)
    starts = (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV", b"OggS", b"\x30\x26\xb2\x75")
    video = [spells(head, start) for start in starts] + [spells(head[:, 4:], b"ftyp"), spells(head[:, 4:], b"moov")]
    video += [riff & spells(head[:, 8:], kind) for kind in (b"AVI ", b"WEBP")]
    problem = first_true(
        empty & (not optional),
        tf.reduce_any(video, axis=0),
        spells(head, b"\xff\xd8\xff") | spells(head, b"\x89PNG"),
        unknown & is_text(head),
        unknown,
    )
    return is_gif, is_zip, problem


def _clip(pixels):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for i, frame in enumerate(pixels):
            archive.writestr(zipfile.ZipInfo(f"{i:03d}.png"), tf.io.encode_png(frame).numpy())
    return memory.getvalue()
