import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.contract import NamedModel
from mmkeras.preprocess import DecodeImage


@pytest.fixture
def model():
    x = keras.Input((2,), name="x")
    model = NamedModel({"x": x}, {name: keras.layers.Dense(1, name=name)(x) for name in ("price", "size")})
    model.compile("sgd", loss={"price": "mse", "size": "mse"}, metrics={"price": ["mae"]})
    return model


def batches(*labels):
    y = {name: np.ones((4, 1), "float32") for name in labels}
    return tf.data.Dataset.from_tensor_slices(({"x": np.ones((4, 2), "float32")}, y)).batch(2)


@pytest.mark.parametrize("action", ["fit", "evaluate"])
def test_labels_are_called_like_outputs(model, action):
    wrong = (
        r"labels of model .* called like its outputs. Expected: \['price', 'size'\]. Received: \['price', 'sise'\]. "
    )
    with pytest.raises(ValueError, match=rf"{wrong}Missing: \['size'\].*Did you mean 'size'"):
        getattr(model, action)(batches("price", "sise"), verbose=0)


def test_right_labels_train(model):
    assert "loss" in model.fit(batches("price", "size"), verbose=0).history


def test_a_loaded_model_is_compiled_as_it_was(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = mm.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is keras.optimizers.SGD and again.optimizer.built
    expected = model.evaluate(batches("price", "size"), verbose=0, return_dict=True)
    assert again.evaluate(batches("price", "size"), verbose=0, return_dict=True) == pytest.approx(expected)


def test_lists_are_arrays(model):
    assert model({"x": [[1, 2], [3.0, 4]]})["price"].shape == (2, 1)
    with pytest.raises(ValueError, match=r"Input 'x' .*Expected: shape \(None, 2\), float32. Received: .*string"):
        model({"x": [["1", "2"]]})


def test_strings_may_be_lists_and_arrays_of_any_kind():
    x = keras.Input((), dtype="string", name="photo")
    model = NamedModel({"photo": x}, {"photo": DecodeImage((1, 1), name="photo_preprocess")(x)})
    png = tf.io.encode_png(np.full((1, 1, 3), 7, "uint8")).numpy()
    for files in ([png], np.array([png], object), np.array([png])):
        assert model({"photo": files})["photo"].numpy().tolist() == [[[[7, 7, 7]]]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="looks like text"):
        model({"photo": np.array(["a name of a file.jpg"])})
    with pytest.raises(ValueError, match="Input 'photo' .*Expected: .*string. Received: .*int64"):
        model({"photo": [3]})


def _swapped(ready):
    return ready | {"photo": ready["voice"], "voice": ready["photo"]}


@pytest.mark.parametrize("action", ["fit", "predict"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: {name: x[name] for name in x if name != "photo"}, r"Missing: \['photo'\]. Unknown: \[\]"),
        (lambda x: x | {"video": x["photo"]}, r"Missing: \[\]. Unknown: \['video'"),
        (lambda x: {name.replace("voice", "voise"): x[name] for name in x}, r"'voise' Did you mean 'voice'"),
        (_swapped, r"Input 'photo' .* another modality.*Expected: shape \(None, 24, 24, 3\), uint8. Received: .*2000"),
    ],
    ids=["missing", "extra", "misspelt", "swapped"],
)
def test_inputs_are_fed_by_their_names(request, raw, preprocess, heads, action, spoil, message):
    model = request.getfixturevalue("tiny_model")(raw.specs, heads)
    model.compile("sgd", **mm.heads.compile_for(heads))
    example = next(iter(raw.batch(4)))
    ready = spoil(preprocess({name: example[name] for name in preprocess.input}))
    labels = {head.name: example[head.name] for head in heads}
    data = tf.data.Dataset.from_tensors((ready, labels) if action == "fit" else ready)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        getattr(model, action)(data, verbose=0)
