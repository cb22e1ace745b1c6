"""`mm.adapt` and `heads.adapt` behave alike: what is given stays as it is, and a copy that has learned comes back."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

SPECS = [mm.Text("review", max_tokens=4), mm.Table("facts", numeric=["age"], categorical=["city"])]
HEADS = [mm.heads.classification("mood", ["good", "bad"], class_weights="balanced"), mm.heads.regression("price")]
RAW = {
    "review": ["a b", "b c", "c", "a"],
    "age": np.array([1, 2, 3, 4], "float32"),
    "city": ["x", "y", "x", "y"],
    "mood": np.array([0, 0, 0, 1], "int32"),
    "price": np.array([[8], [12], [8], [12]], "float32"),
}


@pytest.fixture(scope="module")
def given():
    return mm.preprocessor(SPECS)


def examples(**columns):
    return tf.data.Dataset.from_tensor_slices(RAW | columns)


@pytest.fixture(params=["preprocess", "heads"])
def learn(request, given):
    """Function of raw examples that learns from them; the name of the function that it tests."""
    if request.param == "heads":
        return lambda raw, **options: mm.heads.adapt(HEADS, raw, **options)
    return lambda raw, **options: mm.adapt(given, raw, **options)


def test_a_copy_has_learned(given):
    before = {name: value.numpy() for name, value in zip("ms", given.weights, strict=True)}
    learned, again = (mm.adapt(given, raw, verbose=False) for raw in (examples(), examples(review=["d"] * 4)))
    assert [spec.learned for spec in given.specs] == [None, None]
    assert [spec.learned for spec in learned.specs] == [5, (4,)]
    assert [spec.learned for spec in again.specs] == [3, (4,)]
    assert (learned.name, learned.given, list(learned.input)) == (given.name, given.given, list(given.input))
    for name, value in zip("ms", given.weights, strict=True):
        np.testing.assert_array_equal(value, before[name])
    raw = {name: tf.constant(RAW[name]) for name in given.input}
    assert learned(raw)["review"].numpy()[:, 0].tolist() == [2, 3, 4, 2]
    with pytest.raises(ValueError, match="Call preprocess = mm.adapt"):
        given(raw)


def test_no_examples_are_needed_where_nothing_is_learned(given):
    vector = mm.preprocessor([mm.Vector("face", size=2)])
    assert mm.adapt(vector, None) is vector
    with pytest.raises(TypeError, match="adapt takes raw examples.*Received: None"):
        mm.adapt(given, None)


def test_what_has_nothing_to_learn_comes_back_itself():
    preprocess = mm.preprocessor([mm.Image("photo", size=4)])
    head = mm.heads.regression("price", mean=0, std=1)
    assert mm.adapt(preprocess, examples()) is preprocess
    assert mm.heads.adapt([head], examples())[0] is head


def test_heads_are_copied(capsys):
    mood, price = mm.heads.adapt(HEADS, examples())
    assert (HEADS[0].class_weights, HEADS[1].mean) == ("balanced", None)
    assert (mood.class_weights["bad"], price.mean, price.std) == (2.0, (10.0,), (2.0,))
    assert capsys.readouterr().out.splitlines()[1] == "  price: mean=(10.0,), std=(2.0,)"


def test_both_say_what_was_learned_unless_told_not_to(learn, capsys):
    learn(examples(), verbose=False)
    assert capsys.readouterr().out == ""
    learn(examples())
    said = capsys.readouterr().out
    assert "  review: " in said or "  mood: " in said


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (lambda: examples().take(0), "adapt needs .*example.* Received: .*Check the filter or the split"),
        (lambda: examples().repeat(), "adapt needs a finite data set.*raw.take"),
        (lambda: examples().map(lambda row: {"other": row["age"]}), r"Received: \['other'\]"),
    ],
)
def test_both_refuse_the_same(learn, raw, message):
    with pytest.raises(ValueError, match=message):
        learn(raw(), verbose=False)


def test_a_head_without_any_label_is_refused():
    with pytest.raises(ValueError, match="an example with a label of head 'price'. Received: 4 examples, none"):
        mm.heads.adapt(HEADS[1:], examples(price=np.full((4, 1), np.nan, "float32")))


def test_the_copy_is_saved_and_loaded(given, tmp_path):
    learned = mm.adapt(given, examples(), verbose=False)
    learned.save(tmp_path / "preprocess.keras")
    assert keras.saving.load_model(tmp_path / "preprocess.keras").specs == learned.specs


def test_a_preset_is_copied_with_its_tokenizer(preset):
    given = mm.preprocessor([mm.Text("review", max_tokens=6, preset=str(preset)), mm.Table("facts", numeric=["age"])])
    learned = mm.adapt(given, examples(), verbose=False)
    raw = {"review": tf.constant(["good film", "bad"]), "age": tf.constant([2.5, 1.0])}
    ids, _ = given.get_layer("review_preprocess")(raw["review"])
    np.testing.assert_array_equal(learned(raw)["review"], ids)
    np.testing.assert_allclose(learned(raw)["facts"][0], 0.0, atol=1e-6)
