"""Labels by a trained model: which rows get them, and what they carry into training."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops

import mmkeras as mm
from mmkeras.train import pseudo_labels

SPECS = [mm.Vector("x", size=1)]
MOOD = mm.heads.classification("mood", classes=["bad", "good"])
SIZE = mm.heads.classification("size", classes=["small", "large"])
PRICE = mm.heads.regression("price")


def examples(values, heads=(), **columns):
    frame = pd.DataFrame({"x": [[value] for value in values], **columns})
    return mm.data.from_dataframe(frame, SPECS, heads, weights="w" if "w" in columns else None)


@pytest.fixture(scope="module")
def preprocess():
    return mm.preprocessor(SPECS)


@pytest.fixture(scope="module")
def model():
    """The mood is good with the probability x; the size is always large with 0.9."""
    x = keras.Input((1,), name="x")
    mood = ops.concatenate([1 - x, x], axis=-1)
    return keras.Model({"x": x}, {"mood": mood, "size": ops.concatenate([0 * x + 0.1, 0 * x + 0.9], axis=-1)})


@pytest.fixture(scope="module")
def call(model, preprocess):
    def call(raw, values, **options):
        return pseudo_labels(model, preprocess, raw, unlabelled=examples(values), verbose=False, **options)

    return call


def test_confident_answers_become_labels_and_their_origin_is_told(call):
    more = call(examples([0.5, 0.2], [MOOD], mood=["good", "bad"]), [0.99, 0.6, 0.02, 0.4], confidence=0.9)
    assert more.frame.origin.tolist() == ["given", "given", "pseudo", "pseudo"]
    assert more.frame.mood.tolist() == ["good", "bad", "good", "bad"]
    assert more.table["mood"].tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose([float(each["x"][0]) for each in more], [0.5, 0.2, 0.99, 0.02], rtol=1e-6)


def test_new_rows_have_a_weight_and_given_ones_keep_theirs(call):
    raw = examples([0.5], [MOOD], mood=["good"])
    weighted = examples([0.5], [MOOD], mood=["good"], w=[3.0])
    assert "sample_weight" not in call(raw, [0.99]).table
    assert call(raw, [0.99], weight=0.25).table["sample_weight"].tolist() == [1, 0.25]
    assert call(weighted, [0.99]).table["sample_weight"].tolist() == [3, 1]


def test_heads_that_are_less_confident_or_of_another_kind_lack_their_label(call, preprocess):
    raw = examples([0.5], [MOOD, SIZE, PRICE], mood=["good"], size=["small"], price=[2.0])
    more = call(raw, [0.97, 0.6], confidence=0.88)
    assert more.table["mood"].tolist() == [1, 1, -1] and more.table["size"].tolist() == [0, 1, 1]
    assert np.isnan(more.table["price"][1:]).all()
    (*_, weights), *_ = mm.data.eval_batches(more, preprocess, verbose=False)
    assert weights["mood"].numpy().tolist() == [1, 1, 0] and weights["price"].numpy().tolist() == [1, 0, 0]


def test_rows_are_counted(model, preprocess, capsys):
    raw = examples([0.5], [MOOD], mood=["good"])
    pseudo_labels(model, preprocess, raw, unlabelled=examples([0.99, 0.5]))
    assert "0.95: 1 of 2 examples" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "message"), [
    ({"confidence": 1.0}, "confidence is a probability. Received: confidence=1.0"),
    ({"weight": 0}, "must be positive. Received: weight=0"),
    ({"column": "mood"}, "column= is a new column. Received: 'mood', which raw has"),
    ({"confidence": 0.995}, "must reach the confidence. Received: confidence=0.995, and 0.990 at most"),
])  # fmt: skip
def test_wrong_arguments_are_named(call, options, message):
    with pytest.raises(ValueError, match=message):
        call(examples([0.5], [MOOD], mood=["good"]), [0.99], **options)


def test_examples_must_be_of_a_table_with_a_head_that_the_model_answers(model, preprocess, call):
    raw = examples([0.5], [MOOD], mood=["good"])
    with pytest.raises(TypeError, match="examples of a table. Received: unlabelled is"):
        pseudo_labels(model, preprocess, raw, unlabelled=raw.take(1))
    with pytest.raises(ValueError, match="one class of N. Received: heads \\['price'\\]"):
        call(examples([0.5], [PRICE], price=[1.0]), [0.99])
    other = mm.heads.classification("other", classes=["a", "b"])
    with pytest.raises(ValueError, match="without \\['other'\\]"):
        call(examples([0.5], [other], other=["a"]), [0.99])
    required = mm.heads.regression("price", required=True)
    with pytest.raises(ValueError, match="so that other heads lack theirs. Received: \\['price'\\]"):
        call(examples([0.5], [MOOD, required], mood=["good"], price=[1.0]), [0.99])
