import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.preprocess.model import traced


def test_all_modalities_equal_eager_mapped_one_by_one_and_reloaded(raw, preprocess, tmp_path):
    rows = raw.select(list(preprocess.input)).take(12)
    expected = preprocess(next(iter(rows.batch(12))))
    preprocess.save(tmp_path / "p.keras")
    again = keras.models.load_model(tmp_path / "p.keras")
    for found in (
        rows.batch(12).map(preprocess),
        rows.batch(1).map(preprocess).unbatch().batch(12),
        rows.batch(12).map(again),
    ):
        for name, value in next(iter(found)).items():
            np.testing.assert_array_equal(value, expected[name])


def test_ready_is_what_the_specs_say(raw, specs, preprocess):
    ready = preprocess(next(iter(raw.select(list(preprocess.input)).batch(5))))
    assert list(ready) == [name for spec in specs for name in spec.ready]
    for spec in specs:
        for name, (shape, dtype) in spec.ready.items():
            assert ready[name].dtype == dtype
            assert tf.TensorShape([5, *shape]).is_compatible_with(ready[name].shape)


def test_adapt_needs_examples_and_columns():
    model = mm.preprocessor([mm.Text("review")])
    empty = tf.data.Dataset.from_tensor_slices({"review": np.array([], object)})
    with pytest.raises(ValueError, match="adapt needs examples. Received: an empty data set"):
        mm.adapt(model, empty, verbose=False)
    with pytest.raises(ValueError, match=r"Missing: \['review'\]. Received: \['text'\]"):
        mm.adapt(model, tf.data.Dataset.from_tensor_slices({"text": ["a"]}), verbose=False)
    with pytest.raises(ValueError, match=r"finite data set.*raw.take"):
        mm.adapt(model, tf.data.Dataset.from_tensor_slices({"review": ["a"]}).repeat(), verbose=False)


def test_keys_are_checked(preprocess):
    with pytest.raises(ValueError, match=r"(?s)Missing: \['question'.*Unknown: \['questoin' Did you mean 'question'\?"):
        preprocess({"questoin": tf.constant(["a"])})


def test_no_trained_weights(preprocess):
    assert preprocess.trainable_weights == []


def test_data_sets_and_exports_trace_it_once(raw, specs, monkeypatch):
    preprocess, calls = mm.adapt(mm.preprocessor(specs), raw, verbose=False), []
    layer = preprocess.get_layer("photo_preprocess")
    call = layer.call
    monkeypatch.setattr(layer, "call", lambda *args, **kwargs: calls.append(args) or call(*args, **kwargs))
    for _ in range(2):
        batch, _ = next(iter(mm.data.eval_batches(raw, preprocess, batch_size=4, verbose=False)))
    own = traced(preprocess)({name: value[None] for name, value in next(iter(raw)).items() if name in preprocess.input})
    assert len(calls) == 1
    np.testing.assert_array_equal(own["photo"][0], batch["photo"][0])


def test_a_model_of_another_kind_is_called_as_it_is():
    number = keras.Input((), name="number")
    other = keras.Model({"number": number}, {"row": keras.layers.Reshape((1,))(number)})
    assert traced(other)({"number": tf.constant([2.0])})["row"].numpy().tolist() == [[2.0]]
