from typing import Unpack

import keras
import tensorflow as tf

from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess._layer import RawLayer
from mmkeras.preprocess.headers import first_true, length, peek, refuse

_MESSAGES = [
    ("text must be UTF-8.", "Was a file of another modality fed under this name?"),
    ("a required text must not be empty.", "Give one, or declare it optional=True."),
    ("a required text must hold at least one token; markup, blanks and control characters are none.",
     "Give one with words, or declare it optional=True: then it is absent."),
]  # fmt: skip
_NO_TOKEN = 3
# Read at most this many bytes, more than `max_tokens` words take: a text of 100 MB then takes hardly longer than 64 KB.
BYTES_PER_TOKEN, LEAST_TOKENS = 1024, 64
_MARKUP = r"<[/!?a-zA-Z][^<>]*>|&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);"


class TextLayer(RawLayer):
    """Base class of layers from strings (B,) to ids (B, max_tokens) int32 and their mask."""

    gives = "tokens"
    tells = True

    def __init__(
        self, max_tokens: int, *, strip_markup: bool = True, optional: bool = False, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.max_tokens = max_tokens
        self.strip_markup = strip_markup
        self.optional = optional

    def _checked(self, strings):
        """Fails on invalid text with an error that names the modality."""
        recoded = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", replace_control_characters=False)
        empty = tf.equal(strings, "") & (not self.optional)
        return refuse(strings, self.modality, first_true(recoded != strings, empty), _MESSAGES)

    def _unmarked(self, strings):
        strings = _beginning(strings, BYTES_PER_TOKEN * max(self.max_tokens, LEAST_TOKENS))
        return tf.strings.regex_replace(strings, _MARKUP, " ") if self.strip_markup else strings

    def _padded(self, ids, strings):
        """Pads ragged rows to a rectangle and returns its mask; a required text must have at least one token."""
        if not self.optional:
            problem = tf.where(ids.row_lengths() == 0, _NO_TOKEN, 0)
            with tf.control_dependencies([refuse(strings, self.modality, problem, _MESSAGES)]):
                ids = tf.identity(ids)
        mask = tf.sequence_mask(ids.row_lengths(), self.max_tokens)
        # Set the static shape that the mask already has.
        return tf.ensure_shape(ids.to_tensor(shape=[None, self.max_tokens]), [None, self.max_tokens]), mask

    def compute_output_spec(self, strings):
        shape = (strings.shape[0], self.max_tokens)
        return keras.KerasTensor(shape, "int32"), keras.KerasTensor(shape, "bool")

    def example(self, rng):
        return {self.modality: [b"a"] * 2}

    def get_config(self):
        config = {"max_tokens": self.max_tokens, "strip_markup": self.strip_markup, "optional": self.optional}
        return super().get_config() | config


def _beginning(strings, most):
    """The first bytes of each string, at most `most`, cut at a character boundary.

    >>> _beginning(tf.constant(["abcd", "abß", "aß"]), 3).numpy().tolist() == [b"abc", b"ab", "aß".encode()]
    True
    """
    next_bytes = peek(strings, tf.fill(tf.shape(strings), tf.constant(most - 3, tf.int64)), 4)
    # Whether a byte starts a character; the zeros after the end count as starts.
    starts = tf.cast(next_bytes // 64 != 2, tf.int64)
    cut = most - tf.argmax(starts[:, ::-1], axis=1)
    return tf.strings.substr(strings, tf.zeros_like(cut), tf.where(length(strings) > most, cut, length(strings)))
