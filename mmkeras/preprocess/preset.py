"""Text -> token ids of a pretrained model, by its own tokenizer: [CLS] ids [SEP]."""

import base64
import types
from typing import Any, Self, Unpack

import keras
import tensorflow as tf

from mmkeras.layers.options import LayerOptions
from mmkeras.preprocess._text import TextLayer
from mmkeras.presets import load_preset


@keras.saving.register_keras_serializable("mmkeras")
class PresetIds(TextLayer):
    """Strings -> ids of a pretrained model's tokenizer, between its start and end tokens.

    Args:
        max_tokens: longer texts are truncated so that start and end tokens fit.
        tokenizer: WordPiece or SentencePiece tokenizer of keras-hub; its vocabulary is part of this layer's config and
            saved with it.
        strip_markup, optional: as in `mm.Text`.

    Call arguments:
        strings: (B,) UTF-8.

    Returns:
        ids (B, max_tokens) int32, 0 where padded, and mask (B, max_tokens) bool. An optional text without any token,
        not even an unknown one, is all False.

    Raises:
        ValueError: the tokenizer is of another type.
        InvalidArgumentError: a string is not UTF-8, or a required one is empty or has no tokens.

    Source: Devlin et al., arXiv 1810.04805, section 3.
    """

    def __init__(
        self,
        max_tokens: int,
        *,
        tokenizer: Any,
        strip_markup: bool = True,
        optional: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(max_tokens, strip_markup=strip_markup, optional=optional, **kwargs)
        # Hide the tokenizer from Keras, which would save its files as well; the config already contains its vocabulary.
        self.held = types.SimpleNamespace(tokenizer=tokenizer)
        _check_tokenizer(self.modality, tokenizer, max_tokens)

    def build(self, strings_shape):
        """Does nothing: the tokenizer is already built."""

    @classmethod
    def of(cls, spec: Any, **kwargs: Any) -> Self:
        """Creates the layer of an `mm.Text` with a preset."""
        import keras_nlp  # imported here because it takes seconds

        tokenizer = load_preset(keras_nlp.models.Tokenizer, spec.preset)
        arguments = {"tokenizer": tokenizer, "strip_markup": spec.strip_markup, "optional": spec.optional}
        return cls(spec.max_tokens, **arguments, **kwargs)

    @property
    def vocabulary(self) -> list[str]:
        """All tokens in the order of their ids."""
        return self.held.tokenizer.get_vocabulary()

    @property
    def ends(self) -> list[int]:
        """Ids of the first and the last token, [CLS] and [SEP] of BERT."""
        return [getattr(self.held.tokenizer, f"{name}_token_id") for name in ("start", "end")]

    @tf.function(autograph=False, reduce_retracing=True)  # in eager mode, keras-hub splits the text in Python
    def _tokens(self, strings):
        tokenizer = self.held.tokenizer
        if not hasattr(tokenizer, "_sentence_piece"):
            return tokenizer.tokenize(strings)
        # `tf.random.set_seed` (TensorFlow 2.17) destroys SentencePiece models of eager mode: create it anew.
        tokenizer._sentence_piece = None
        ids = tokenizer.tokenize(strings)
        tokenizer._sentence_piece = None
        return ids

    def call(self, strings):
        # tensorflow-text stops splitting at a NUL byte.
        text = tf.strings.regex_replace(self._unmarked(self._checked(strings)), r"\x00", " ")
        ids = tf.cast(self._tokens(text), tf.int32)[:, : self.max_tokens - 2]
        real = tf.cast(ids.row_lengths() > 0, ids.row_splits.dtype)
        first, last = (_repeated(end, real) for end in self.ends)
        return self._padded(tf.concat([first, ids, last], axis=1), strings)

    def describe(self) -> dict[str, Any] | None:
        """`mmkeras.edge` supports only BERT's tokenizer."""
        own = self.held.tokenizer
        if not getattr(own, "split", False) or own.special_tokens_in_strings:
            return None
        names = ("lowercase", "strip_accents", "split_on_cjk")
        split = {"unknown": own.oov_token, "suffix": own.suffix_indicator}
        split |= {name: getattr(own, name) for name in names}
        length = {"max_tokens": self.max_tokens, "strip_markup": self.strip_markup}
        return {"kind": "wordpiece", "vocabulary": self.vocabulary, "ends": self.ends} | length | split

    def get_config(self):
        # keras-hub stores the vocabulary in separate files, which `from_config` does not read.
        tokenizer = self.held.tokenizer
        config = {"tokenizer": keras.saving.serialize_keras_object(tokenizer)}
        if hasattr(tokenizer, "proto"):
            return super().get_config() | config | {"proto": base64.b64encode(tokenizer.proto).decode()}
        return super().get_config() | config | {"vocabulary": list(tokenizer.get_vocabulary())}

    @classmethod
    def from_config(cls, config):
        import keras_nlp  # noqa: F401 - registers the tokenizers

        config = dict(config)
        proto, vocabulary = config.pop("proto", None), config.pop("vocabulary", None)
        tokenizer = keras.saving.deserialize_keras_object(config.pop("tokenizer"))
        if proto is None:
            tokenizer.set_vocabulary(vocabulary)
        else:
            tokenizer.set_proto(base64.b64decode(proto))
        return cls(tokenizer=tokenizer, **config)


def _repeated(value, lengths):
    """Ragged rows that repeat one value."""
    return tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(lengths)], value), lengths)


def _check_tokenizer(modality, tokenizer, max_tokens):
    import keras_nlp

    kinds = keras_nlp.tokenizers.WordPieceTokenizer, keras_nlp.tokenizers.SentencePieceTokenizer
    if not isinstance(tokenizer, kinds) or not hasattr(tokenizer, "start_token"):
        raise ValueError(
            f"{modality}: the tokenizer of a preset must be BERT's, or a SentencePiece one with a first and a last "
            f"token. Received: {type(tokenizer).__name__}. Take a preset of BERT, DistilBERT, ELECTRA, ALBERT, "
            "DeBERTa or XLM-RoBERTa; byte pairs (RoBERTa, GPT) cannot be served."
        )
    if max_tokens < 3:
        raise ValueError(
            f"{modality}: max_tokens includes the first and the last token of the preset. Received: "
            f"max_tokens={max_tokens}. "
            "Give 3 or more."
        )
