"""What one modality looks like *raw* (as it arrives) and *ready* (what the model eats).

A spec is a frozen dataclass of plain Python values, from which all else is built: reader, preprocessing, model, export.
`raw` and `ready` give the tensors of one example by name, without the batch axis.

One rule names them all: a modality called `photo` arrives as `photo`, and is ready as `photo` and `photo_mask`. The
mask is boolean, True marks what is real; an absent modality is all False. Only a required image needs no mask.

>>> import mmkeras as mm
>>> mm.Text("review", max_tokens=16).ready
{'review': Tensor(shape=(None,), dtype='int32'), 'review_mask': Tensor(shape=(None,), dtype='bool')}
>>> mm.Image("photo", size=(96, 96), optional=True).ready
{'photo': Tensor(shape=(96, 96, 3), dtype='uint8'), 'photo_mask': Tensor(shape=(1,), dtype='bool')}
"""

import dataclasses
import numbers
from typing import NamedTuple

from mmkeras.checks import check, check_choice, check_list, check_name, check_pixels, check_positive, check_whole
from mmkeras.checks import did_you_mean as did_you_mean  # most rooms take it from here
from mmkeras.config import Config
from mmkeras.ids import check_learned, check_vocabulary


class Tensor(NamedTuple):
    """Shape (without the batch axis; None where it varies) and dtype of one named tensor."""

    shape: tuple
    dtype: str


def as_text(value):
    """How a value of a column is written: 3, not 3.0, for the float that a gap in its column has made of an integer.

    >>> as_text(3.0), as_text(0.5), as_text(True), as_text("3.0"), as_text(b"x")
    ('3', '0.5', 'True', '3.0', 'x')
    """
    if isinstance(value, str | bytes):
        return value if isinstance(value, str) else value.decode("utf-8", "replace")
    is_float = isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral)
    return str(int(value)) if is_float and float(value).is_integer() else str(value)


class _OneString(Config):
    @property
    def raw(self):
        return {self.name: Tensor((), "string")}


@dataclasses.dataclass(frozen=True)
class Text(_OneString):
    """Text: raw a UTF-8 string, ready token ids (T,) int32 and their mask; id 0 pads, id 1 is the unknown token.

    Args:
        name: key of this modality everywhere.
        max_tokens: longer texts are cut to this many tokens, of which those in the first 1024 bytes for each (in the
            first 65,536 at least) count. Ready text has a free length T <= max_tokens.
        tokenizer: "words" (words, numbers, single punctuation marks; each character of scripts written without
            spaces); "wordpiece" (the same, then split into learned pieces: smaller vocabulary, nothing unknown); or
            "characters" (each character, spaces too: for short, misspelt or damaged texts in any script).
        vocabulary_size: most ids, the two special ones included.
        vocabulary: None to learn it with `adapt`, or a UTF-8 file with one token per line, or the tokens themselves
            (without the two special ones; wordpiece continuations begin with "##").
        lowercase: fold case (Unicode, not only ASCII).
        strip_markup: drop tags such as `<br />` and entities such as `&nbsp;`.
        optional: the empty string means absent, and so does a text without any token (blanks, control characters, tags
            alone). A required text must have one.
        preset: keras-hub name or folder of a BERT-like model for `text.pretrained`; its tokenizer replaces ours.
        learned: how many ids `adapt` has found, set in `preprocess.specs`; None where that is not known.
    """

    name: str
    max_tokens: int = 64
    tokenizer: str = "words"
    vocabulary_size: int = 20_000
    vocabulary: str | tuple | None = None
    lowercase: bool = True
    strip_markup: bool = True
    optional: bool = False
    preset: str | None = None
    learned: int | None = None

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, max_tokens=self.max_tokens, vocabulary_size=self.vocabulary_size)
        own = self.preset is None or (self.tokenizer == "words" and self.vocabulary is None and self.lowercase)
        check(own, f"'{self.name}' has the tokens of its preset.", self, "Leave tokenizer, vocabulary, case out.")
        check_choice(self.name, "tokenizer", self.tokenizer, ("words", "wordpiece", "characters"))
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", check_vocabulary(self.name, self.vocabulary))
            object.__setattr__(self, "vocabulary_size", len(self.vocabulary) + 2)
        check(self.vocabulary_size > 2, f"vocabulary_size of '{self.name}' must exceed 2.", self.vocabulary_size,
               "Two ids are taken by padding and the unknown token.")  # fmt: skip
        learned = None if self.learned is None else [self.learned]
        check_learned(self.name, learned, self.vocabulary_size, columns=1)

    @property
    def ids(self):
        """Rows of the branch's embedding: as many as ids were learned, and `vocabulary_size` before."""
        return self.learned or self.vocabulary_size

    @property
    def ready(self):
        return {self.name: Tensor((None,), "int32"), f"{self.name}_mask": Tensor((None,), "bool")}


@dataclasses.dataclass(frozen=True)
class Image(_OneString):
    """A still image: raw the bytes of a JPEG, PNG, GIF (first frame) or BMP file, ready uint8 pixels (H, W, C).

    Args:
        name: key of this modality everywhere.
        size: (height, width) in pixels.
        channels: 1 grey, 3 RGB.
        resize: "stretch" to the size, "pad" to keep the whole picture, "crop" to fill the size from the centre.
        optional: `b""` means absent.
        max_pixels: most pixels of the file, by its header; a larger one is refused before it is decoded.
    """

    name: str
    size: tuple = (224, 224)
    channels: int = 3
    resize: str = "stretch"
    optional: bool = False
    max_pixels: int = 48_000_000

    def __post_init__(self):
        check_name(self.name)
        object.__setattr__(self, "size", check_pixels(self))

    @property
    def ready(self):
        pixels = {self.name: Tensor((*self.size, self.channels), "uint8")}
        return pixels | ({f"{self.name}_mask": Tensor((1,), "bool")} if self.optional else {})


@dataclasses.dataclass(frozen=True)
class Audio(_OneString):
    """A sound clip: raw the bytes of a WAV file, ready a mono waveform (S,) float32 in [-1, 1] and its mask.

    Args:
        name: key of this modality everywhere.
        seconds: length of the ready clip: longer ones are cut, shorter ones padded with masked zeros.
        sample_rate: of the ready clip, in Hz; files of other rates are resampled.
        optional: `b""` means absent.
    """

    name: str
    seconds: float = 1.0
    sample_rate: int = 16_000
    optional: bool = False

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, sample_rate=self.sample_rate)
        check_positive(self.name, seconds=self.seconds)

    @property
    def samples(self):
        """S, the length of the ready waveform."""
        return round(self.seconds * self.sample_rate)

    @property
    def ready(self):
        return {self.name: Tensor((self.samples,), "float32"), f"{self.name}_mask": Tensor((self.samples,), "bool")}


@dataclasses.dataclass(frozen=True)
class Video(_OneString):
    """A clip: raw the bytes of a GIF, or of a ZIP of its frames as stored JPEG or PNG; ready pixels (F, H, W, C) uint8.

    `mm.data` makes such a ZIP of MP4, AVI, APNG, WebP and folders; `mm.preprocess.DecodeVideo` says which frames count.

    Args:
        name: key of this modality everywhere.
        frames: F, drawn evenly from longer clips; of shorter ones every frame is taken, and the rest is masked.
        size, channels, resize, max_pixels: of each frame, as in `Image`; all of a GIF may have 4 max_pixels together.
        optional: `b""` means absent.
    """

    name: str
    frames: int = 16
    size: tuple = (112, 112)
    channels: int = 3
    resize: str = "stretch"
    optional: bool = False
    max_pixels: int = 48_000_000

    def __post_init__(self):
        check_name(self.name)
        check_whole(self.name, frames=self.frames)
        object.__setattr__(self, "size", check_pixels(self))

    @property
    def ready(self):
        frames = Tensor((self.frames, *self.size, self.channels), "uint8")
        return {self.name: frames, f"{self.name}_mask": Tensor((self.frames,), "bool")}


@dataclasses.dataclass(frozen=True)
class Table(Config):
    """Columns of numbers and categories: raw one value per column, ready one row (N,) float32 and its mask.

    The ready row holds the numeric columns, standardised as `adapt` learned and clipped to 10 deviations, then the ids
    of the categorical ones (1 is an unknown category). A missing value (NaN, "") is False in the mask. Raw numbers are
    float32: where 7 digits are too coarse (seconds since 1970, within an hour), `adapt` refuses the column.

    Args:
        name: key of the ready row; the raw keys are the columns' own names.
        numeric: names of the columns that hold numbers, or the name of the only one.
        categorical: names of the columns that hold categories (strings), or the name of the only one.
        max_categories: most ids of one categorical column, the two special ones included.
        optional: every column may be missing at once.
        learned: how many ids `adapt` has found in each categorical column, set in `preprocess.specs`; None before.
    """

    name: str
    numeric: tuple = ()
    categorical: tuple = ()
    max_categories: int = 100
    optional: bool = False
    learned: tuple | None = None

    def __post_init__(self):
        for kind in ("numeric", "categorical"):
            names = getattr(self, kind)
            object.__setattr__(self, kind, (names,) if isinstance(names, str) else tuple(names))
        for name in (self.name, *self.columns):
            check_name(name)
        check(self.columns, f"Table '{self.name}' needs columns.", "none", "Name them in numeric= or categorical=.")
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        check(not repeated, f"Table '{self.name}' takes each column once.", f"{repeated} twice", "Name each one once.")
        check_whole(self.name, max_categories=self.max_categories)
        check(self.max_categories > 2, f"max_categories of '{self.name}' must exceed 2.", self.max_categories,
               "Two ids are taken by missing and unknown.")  # fmt: skip
        learned = check_learned(self.name, self.learned, self.max_categories, len(self.categorical))
        object.__setattr__(self, "learned", learned)

    @property
    def ids(self):
        """How many ids each categorical column has: as many as were learned, and `max_categories` before."""
        return self.learned or (self.max_categories,) * len(self.categorical)

    @property
    def columns(self):
        """Names of the N columns in the order of the ready row."""
        return (*self.numeric, *self.categorical)

    @property
    def raw(self):
        numbers = {column: Tensor((), "float32") for column in self.numeric}
        return numbers | {column: Tensor((), "string") for column in self.categorical}

    @property
    def ready(self):
        n = len(self.columns)
        return {self.name: Tensor((n,), "float32"), f"{self.name}_mask": Tensor((n,), "bool")}


@dataclasses.dataclass(frozen=True)
class Vector(Config):
    """Features computed elsewhere, such as an embedding: raw and ready (D,) float32, whose mask says if it is there.

    Branches bring it to unit scale. Numbers of different units, each to be standardised, belong in a `Table`.

    Args:
        name: key of this modality everywhere.
        size: D, how many numbers it has.
        optional: D times NaN means absent. NaN among other numbers, infinity, and numbers beyond 1e12 are refused.
    """

    name: str
    size: int
    optional: bool = False

    def __post_init__(self):
        check_name(self.name)
        whole = isinstance(self.size, numbers.Integral) and not isinstance(self.size, bool) and self.size > 0
        check(whole, f"size of '{self.name}' must be a whole number above 0.", f"{self.size!r}", "Count its numbers.")

    @property
    def raw(self):
        return {self.name: Tensor((self.size,), "float32")}

    @property
    def ready(self):
        return self.raw | {f"{self.name}_mask": Tensor((1,), "bool")}


def check_specs(specs):
    """Raises where two specs would meet under one raw or ready name.

    Raises:
        TypeError: a spec stands alone, not in a list.
        ValueError: two specs share a name, or there is none.
    """
    check_list("specs", specs)
    check(specs, "At least one spec is needed.", "an empty list", "Give mm.Text(...), mm.Image(...), ...")
    for stage in ("raw", "ready"):
        names = [name for spec in specs for name in getattr(spec, stage)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        rule = f"Each {stage} name may belong to one spec only."
        check(not repeated, rule, f"{repeated} twice", "Rename one of them.")
