import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm


def tokens(*texts, **options):
    layer = mm.preprocess.TokenIds(8, name="text_preprocess", **options)
    return [[word.decode() for word in row] for row in layer._words(tf.constant(texts)).to_list()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", ["hello", ",", "world", "!"]),
        ("<p class='x'>a<br />b</p>&nbsp;c &#169; 3 < 4", ["a", "b", "c", "3", "<", "4"]),
        ("ﬁne Ⅳ ½ Ａ", ["fine", "iv", "1", "⁄", "2", "a"]),
        ("Straße ÉCOLE", ["strasse", "école"]),
        ("a\u200db c\x00d\te\u3000f", ["ab", "c", "d", "e", "f"]),
        ("我爱北京", ["我", "爱", "北", "京"]),
        ("カタカナと漢字", list("カタカナと漢字")),
        ("한국어 문장", ["한국어", "문장"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("ที่ดี", ["ที่", "ดี"]),
        ("", []),
        ("!?", ["!", "?"]),
    ],
)
def test_words_of_many_scripts(text, expected):
    assert tokens(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  __ed  m ", list("__ed▁m")),
        ("A<b>\u200dé", ["a", "▁", "é"]),
        ("हिन्दी", ["हि", "न्", "दी"]),
        ("我 爱", ["我", "▁", "爱"]),
        ("", []),
    ],
)
def test_characters_of_many_scripts(text, expected):
    assert tokens(text, tokenizer="characters") == [expected]


def test_characters_are_learned(texts, capsys):
    spec = mm.Text("text", tokenizer="characters", vocabulary_size=50, max_tokens=9)
    model = mm.adapt(mm.preprocessor([spec]), texts)
    assert "15 characters of 15 different characters" in capsys.readouterr().out
    ready = model({"text": tf.constant(["walk z"])})
    vocabulary = model.get_layer("text_preprocess").vocabulary
    assert [vocabulary[i] for i in ready["text"][0].numpy()] == ["w", "a", "l", "k", "▁", "[UNK]", *["[PAD]"] * 3]


def test_case_and_markup_can_be_kept():
    assert tokens("A <b>", lowercase=False, strip_markup=False) == [["A", "<", "b", ">"]]


@pytest.fixture(scope="module")
def texts():
    return tf.data.Dataset.from_tensor_slices(
        {"text": ["walking walked talking", "walked, talked!", "walking 我爱"] * 10}
    )


def test_words_are_learned_by_frequency(texts, capsys):
    model = mm.adapt(mm.preprocessor([mm.Text("text", max_tokens=4, vocabulary_size=6)]), texts)
    vocabulary = model.get_layer("text_preprocess").vocabulary
    assert vocabulary == ["[PAD]", "[UNK]", "walked", "walking", "!", ","]
    assert "text: 4 words of 8 different words; room for 4" in capsys.readouterr().out
    ready = model({"text": tf.constant(["walking, talked walked walked walked"])})
    assert ready["text"].numpy().tolist() == [[3, 5, 1, 2]]
    assert ready["text_mask"].numpy().all()


def test_wordpiece_splits_into_learned_pieces(texts):
    spec = mm.Text("text", tokenizer="wordpiece", vocabulary_size=60)
    layer = mm.adapt(mm.preprocessor([spec]), texts, verbose=False).get_layer("text_preprocess")
    assert len(layer.vocabulary) <= 60
    assert {"我", "walking"} <= set(layer.vocabulary)
    ids, mask = layer(tf.constant(["walked 我 wal"]))
    pieces = [layer.vocabulary[i] for i in ids.numpy()[0][mask.numpy()[0]]]
    assert "".join(piece.removeprefix("##") for piece in pieces) == "walked我wal"


def test_wordpiece_knows_every_frequent_character():
    signs = [chr(0x4E00 + i) for i in range(1500)]
    texts = tf.data.Dataset.from_tensor_slices({"text": [" ".join(signs)] * 20})
    spec = mm.Text("text", tokenizer="wordpiece", vocabulary_size=4000, max_tokens=1500)
    ready = mm.adapt(mm.preprocessor([spec]), texts, verbose=False)({"text": tf.constant([" ".join(signs)])})
    assert not (ready["text"].numpy() == 1).any()


def test_given_pieces_are_used_as_they_are():
    layer = mm.preprocess.TokenIds(
        6, tokenizer="wordpiece", vocabulary=("un", "##aff", "##able", "a"), name="text_preprocess"
    )
    ids, mask = layer(tf.constant(["Unaffable A zebra"]))
    assert ids.numpy().tolist() == [[2, 3, 4, 5, 1, 0]]
    assert mask.numpy().tolist() == [[True] * 5 + [False]]


@pytest.mark.parametrize("tokenizer", ["words", "wordpiece", "characters"])
def test_equal_eager_mapped_batched_and_reloaded(texts, tokenizer, tmp_path):
    spec = mm.Text("text", tokenizer=tokenizer, vocabulary_size=50, optional=True)
    model = mm.adapt(mm.preprocessor([spec]), texts, verbose=False)
    raw = tf.data.Dataset.from_tensor_slices({"text": ["walking talk", "", "我爱 walks", "new <b>words</b>"]})
    expected = model(next(iter(raw.batch(4))))
    assert not expected["text_mask"][1].numpy().any()
    model.save(tmp_path / "p.keras")
    again = keras.models.load_model(tmp_path / "p.keras")
    for found in (raw.batch(4).map(model), raw.batch(1).map(model).unbatch().batch(4), raw.batch(4).map(again)):
        for name, value in next(iter(found)).items():
            np.testing.assert_array_equal(value, expected[name])


def test_errors():
    layer = mm.preprocess.TokenIds(4, vocabulary=("a",), name="review_preprocess")
    with pytest.raises(tf.errors.InvalidArgumentError, match="review: text must be UTF-8"):
        layer(tf.constant([b"\xff\xd8\xff\xe0 a JPEG"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)review: a required text must not be empty.*1"):
        layer(tf.constant(["a", ""]))
    with pytest.raises(ValueError, match="review: the vocabulary is not learned yet.*mm.adapt"):
        mm.preprocess.TokenIds(4, name="review_preprocess")(tf.constant(["a"]))
