import io
import json
import zipfile

import keras
import keras_nlp
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

import mmkeras as mm
from mmkeras.contract import NamedModel
from mmkeras.export._litert.package.describe import describe
from mmkeras.preprocess import PresetIds

TEXTS = ["The film, badly good!", "", "unaffable 爱 éel", " \t ", "good " * 20, "<b>good</b>&nbsp;bad"]


def test_ids_are_those_of_keras_hub(preset):
    model = mm.preprocessor([mm.Text("review", max_tokens=8, preset=preset, optional=True)])
    ready = model({"review": tf.constant(TEXTS)})
    theirs = keras_nlp.models.BertTextClassifierPreprocessor.from_preset(str(preset), sequence_length=8)
    wanted = theirs([text.replace("<b>", " ").replace("</b>&nbsp;", " ") for text in TEXTS])
    there = [0, 2, 4, 5]
    np.testing.assert_array_equal(ready["review"].numpy()[there], np.array(wanted["token_ids"])[there])
    np.testing.assert_array_equal(ready["review_mask"].numpy()[there], np.array(wanted["padding_mask"])[there])
    for row in (1, 3):  # the rows are empty, without even [CLS]
        assert not ready["review"].numpy()[row].any() and not ready["review_mask"].numpy()[row].any()


def test_a_zero_byte_is_a_blank(preset):
    model = mm.preprocessor([mm.Text("review", max_tokens=8, preset=preset)])
    ids = model({"review": tf.constant(["good\0bad", "good bad"])})["review"].numpy()
    np.testing.assert_array_equal(ids[0], ids[1])


def test_markup_can_be_kept(preset):
    model = mm.preprocessor([mm.Text("review", max_tokens=8, preset=preset, strip_markup=False)])
    assert model({"review": tf.constant(["<b>"])})["review_mask"].numpy().sum() == 5


@pytest.fixture(scope="module")
def sentence_piece():
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the good film", "a bad film", "good day"] * 9), model_writer=file, vocab_size=30,
        model_type="unigram", pad_id=0, unk_id=1, bos_id=2, eos_id=3, pad_piece="<pad>", bos_piece="[CLS]",
        eos_piece="[SEP]", user_defined_symbols=["[MASK]"], hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    return keras_nlp.models.AlbertTokenizer(file.getvalue())


def raw_of(texts):
    return {"review": tf.constant(texts)}


def model_of(tokenizer):
    strings = keras.Input((), dtype="string", name="review")
    ids, mask = PresetIds(8, tokenizer=tokenizer, optional=True, name="review_preprocess")(strings)
    return NamedModel({"review": strings}, {"review": ids, "review_mask": mask})


def test_sentence_pieces(sentence_piece):
    model = model_of(sentence_piece)
    keras.utils.set_random_seed(1)
    ids, mask = model({"review": tf.constant(["the good film", ""])}).values()
    pieces = sentence_piece._sentence_piece_spm.Encode("the good film")[:6]
    assert ids.numpy()[0][mask.numpy()[0]].tolist() == [2, *pieces, 3]
    assert not mask.numpy()[1].any()


@pytest.mark.parametrize("kind", ["word pieces", "sentence pieces"])
def test_equal_eager_mapped_and_reloaded(preset, sentence_piece, kind, tmp_path):
    own = keras_nlp.models.Tokenizer.from_preset(str(preset)) if kind == "word pieces" else sentence_piece
    model = model_of(own)
    raw = tf.data.Dataset.from_tensor_slices({"review": TEXTS})
    expected = model(raw_of(TEXTS))
    model.save(tmp_path / "p.keras")
    again = mm.load_model(tmp_path / "p.keras")
    assert again.get_layer("review_preprocess").vocabulary == model.get_layer("review_preprocess").vocabulary
    assert not [name for name in zipfile.ZipFile(tmp_path / "p.keras").namelist() if "assets" in name]
    for name, value in NamedModel.from_config(json.loads(json.dumps(model.get_config())))(raw_of(TEXTS)).items():
        np.testing.assert_array_equal(value, expected[name])
    for found in (raw.batch(9).map(model), raw.batch(1).map(model).unbatch().batch(9), raw.batch(9).map(again)):
        for name, value in next(iter(found)).items():
            np.testing.assert_array_equal(value, expected[name])


def test_sentence_pieces_are_served_and_left_to_the_device(sentence_piece, tmp_path):
    preprocess = model_of(sentence_piece)
    heads = [mm.heads.regression("stars", mean=0.0, std=1.0)]
    spec = mm.Text("review", max_tokens=8, vocabulary_size=40, optional=True)
    model = mm.fusion_model(
        [spec], {"review": mm.branches.text.lstm(spec, units=4, embed_dim=4)}, mm.fusion.Concatenate(4), heads
    )
    report = mm.export.saved_model(preprocess, model, tmp_path / "s" / "1", heads=heads, samples={"review": TEXTS})
    assert "SentencepieceTokenizeOp" in report["ops"]["tensorflow-text"]
    described = describe(preprocess, heads)
    assert described["unprepared"] == ["review", "review_mask"] and described["inputs"] == []


def test_errors(preset):
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<mask>": 3, "a": 4, "b": 5, "ab": 6}
    byte_pairs = keras_nlp.models.RobertaTokenizer(vocabulary, merges=["a b"])
    with pytest.raises(ValueError, match="review: the tokenizer of a preset must be BERT's.*RobertaTokenizer"):
        PresetIds(8, tokenizer=byte_pairs, name="review_preprocess")
    with pytest.raises(ValueError, match="includes the first and the last token.*Received: max_tokens=2"):
        mm.preprocessor([mm.Text("review", max_tokens=2, preset=preset)])
    with pytest.raises(ValueError, match="(?s)Received: 'no_such_bert', ValueError.*Without a network"):
        mm.preprocessor([mm.Text("review", preset="no_such_bert")])
    required = mm.preprocessor([mm.Text("review", preset=preset)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="review: a required text must not be empty"):
        required({"review": tf.constant([""])})
