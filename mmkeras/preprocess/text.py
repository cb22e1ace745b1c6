"""Text -> token ids. What is done to a string, in this order, so that it can be ported:

0. only the first 1024 bytes for each of `max_tokens` (at least 65,536) are read, up to the last complete character;
1. tags `<...>` and entities `&...;` become a space (`strip_markup`);
2. Unicode normal form NFKC, then full case folding (`lowercase`), which drops what is ignorable by default (joiners,
   variation selectors), then NFKC again;
3. control and separator characters (categories C*, Z*) become a space, format characters (Cf) vanish;
4. each punctuation mark or symbol (P*, S*) and each character of a script written without spaces, with the marks (M*)
   that follow it, becomes a token of its own; the rest is split at spaces. With "characters" instead, every character
   with its marks is a token, and so is each run of spaces within the text, as "▁";
5. tokens are looked up: 0 pads, 1 is unknown. With "wordpiece", each token is first split greedily into the longest
   pieces of the vocabulary, "##" before all but the first; a token that cannot be split, or is longer than 100 bytes,
   is unknown.
"""

import collections
import types
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess._text import TextLayer

UNKNOWN = "[UNK]"
SPECIAL = ("[PAD]", UNKNOWN)  # ids 0 and 1

# Blocks of Thai and Lao, Myanmar, Khmer, kana, kana extensions, Han (extension A, compatibility, planes 2 and 3).
_UNSPACED = (
    r"\x{0E00}-\x{0EFF}\x{1000}-\x{109F}\x{1780}-\x{17FF}\x{3040}-\x{30FF}\x{31F0}-\x{31FF}"
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{323AF}"
)
_ALONE = rf"([{_UNSPACED}\p{{P}}\p{{S}}]\p{{M}}*)"
_CHARACTER = r"(\P{M}\p{M}*)"


@keras.saving.register_keras_serializable("mmkeras")
class TokenIds(TextLayer):
    """Strings -> ids of words, word pieces or characters, cut and padded to `max_tokens`.

    Args:
        max_tokens, tokenizer, vocabulary_size, vocabulary, lowercase, strip_markup, optional: as in `mm.Text`.

    Call arguments:
        strings: (B,) UTF-8.

    Returns:
        ids (B, max_tokens) int32 and mask (B, max_tokens) bool, False where padded.

    Raises:
        ValueError: the vocabulary is not learned yet.
        InvalidArgumentError: a string is not UTF-8, or a required one is empty or has no tokens.

    Source: the splitting is BERT's (arXiv 1810.04805, basic tokenizer), widened to more scripts without spaces; pieces
    are found by LinMaxMatch (arXiv 2012.15524) and learned by tensorflow-text's WordPiece learner.
    """

    def __init__(
        self,
        max_tokens: int = 64,
        *,
        tokenizer: str = "words",
        vocabulary_size: int = 20_000,
        vocabulary: Sequence[str] | None = None,
        lowercase: bool = True,
        strip_markup: bool = True,
        optional: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(max_tokens, strip_markup=strip_markup, optional=optional, **kwargs)
        self.tokenizer = tokenizer
        self.vocabulary_size = vocabulary_size
        self.lowercase = lowercase
        self.given = vocabulary
        self.lookup = keras.layers.StringLookup(vocabulary_size, mask_token="[PAD]", oov_token=UNKNOWN, name="lookup")
        self.adapts = vocabulary is None
        self._pieces = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary)

    def build(self, strings_shape):
        self.lookup.build(strings_shape)

    @property
    def vocabulary(self) -> list[str]:
        """All tokens in the order of their ids, the two special ones first."""
        return self.lookup.get_vocabulary()

    def set_vocabulary(self, tokens: Any) -> None:
        """Takes tokens (without the special ones) as ids 2, 3, ..."""
        self.lookup.set_vocabulary([*SPECIAL, *tokens])
        self._pieces = None

    @property
    def learned(self) -> Any:
        """How many ids there are, as `mm.Text(learned=)`; None before `adapt`."""
        size = int(self.lookup.vocabulary_size())
        return size if size > len(SPECIAL) else None

    def reset_state(self) -> None:
        # Hide it in a namespace, because Keras would wrap a bare dict to track it.
        self._seen = types.SimpleNamespace(words=collections.Counter())

    def update_state(self, batch: Mapping[str, Any]) -> None:
        """Counts the words of a batch of raw strings."""
        words = self._words(tf.constant(batch[self.modality])).flat_values.numpy()
        self._seen.words.update(words.tolist())

    def finalize_state(self) -> str:
        """Learns the vocabulary of the words counted, most frequent first; says what it learned."""
        counts = sorted(self._seen.words.items(), key=lambda item: (-item[1], item[0]))
        room = self.vocabulary_size - len(SPECIAL)
        words = [(word.decode(), count) for word, count in counts]
        tokens = self._learn_pieces(words) if self.tokenizer == "wordpiece" else [word for word, _ in words]
        tokens = [token for token in tokens if token not in SPECIAL]
        self.set_vocabulary(tokens[:room])
        counted = "characters" if self.tokenizer == "characters" else "words"
        kind = "word pieces" if self.tokenizer == "wordpiece" else counted
        return f"{min(len(tokens), room):,} {kind} of {len(words):,} different {counted}; room for {room:,}"

    def _learn_pieces(self, words):
        from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

        # The learner keeps 1,000 characters by default, but Han has many more.
        return learner.learn(words, self.vocabulary_size, list(SPECIAL), max_unique_chars=self.vocabulary_size)

    def call(self, strings):
        words = self._words(self._checked(strings))
        if self.tokenizer == "wordpiece":
            pieces = self._wordpieces().tokenize(words.flat_values)
            ids = words.with_flat_values(pieces).merge_dims(1, 2)
        else:
            self.check_adapted()
            ids = words.with_flat_values(tf.cast(self.lookup(words.flat_values), tf.int32))
        return self._padded(ids, strings)

    def _words(self, strings):
        """(B,) strings -> (B, words or characters) ragged."""
        x = tf_text.normalize_utf8(self._unmarked(strings), "NFKC")
        if self.lowercase:
            x = tf_text.normalize_utf8(tf_text.case_fold_utf8(x), "NFKC")
        x = tf.strings.regex_replace(x, r"\p{Cf}", "")
        x = tf.strings.regex_replace(x, r"[\p{C}\p{Z}]", " ")
        if self.tokenizer == "characters":
            x = tf.strings.regex_replace(tf.strings.strip(x), r" +", "▁")
        alone = _CHARACTER if self.tokenizer == "characters" else _ALONE
        return tf.strings.split(tf.strings.regex_replace(x, alone, r" \1 "))

    def _wordpieces(self):
        if self._pieces is None:
            self.check_adapted()
            with tf.init_scope():
                self._pieces = tf_text.FastWordpieceTokenizer(
                    self.vocabulary, token_out_type=tf.int32, unknown_token=UNKNOWN, no_pretokenization=True
                )
        return self._pieces

    def check_adapted(self) -> None:
        with tf.init_scope():
            empty = int(self.lookup.vocabulary_size()) <= len(SPECIAL)
        if empty:
            raise ValueError(
                f"{self.modality}: the vocabulary is not learned yet. "
                "Call preprocess = mm.adapt(preprocess, raw) before using it, or give the spec a vocabulary."
            )

    def describe(self) -> dict[str, Any] | None:
        names = ("max_tokens", "tokenizer", "lowercase", "strip_markup")
        return {"kind": "text", "vocabulary": self.vocabulary} | {name: getattr(self, name) for name in names}

    def get_config(self):
        config = {"tokenizer": self.tokenizer, "vocabulary_size": self.vocabulary_size, "vocabulary": self.given}
        return super().get_config() | config | {"lowercase": self.lowercase}
