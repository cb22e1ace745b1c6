"""Models that were not made here, as branches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import mmkeras as mm
from mmkeras.branches import from_model, text

PHOTO = mm.Image("photo", size=(32, 32), optional=True)
FACE = mm.Vector("face", size=3)
HEADS = [mm.heads.classification("kind", ["no", "yes"])]


@keras.saving.register_keras_serializable("tests")
class Own(keras.Model):
    """A subclassed model with parts that are random while training."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense, self.norm, self.noise = (
            keras.layers.Dense(units),
            keras.layers.BatchNormalization(),
            keras.layers.GaussianNoise(1.0),
        )

    def call(self, x, training=None):
        return self.noise(self.norm(self.dense(x), training=training), training=training)

    def get_config(self):
        return super().get_config() | {"units": self.units}


@pytest.fixture(scope="module")
def ready():
    rng = np.random.default_rng(0)
    return {"photo": rng.integers(0, 256, (8, 32, 32, 3), "uint8"), "photo_mask": np.ones((8, 1), bool),
            "face": rng.normal(size=(8, 3)).astype("float32"), "face_mask": np.ones((8, 1), bool)}  # fmt: skip


def network():
    """Blocks that are called as those of keras.applications."""
    x = pixels = keras.Input((32, 32, 3))
    for name in ("Conv1", "block_1", "block_2", "Conv_1"):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"{name}_expand")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(name=f"{name}_norm")(x))
    return keras.Model(pixels, x)


def prepared(ready):
    return keras.applications.mobilenet_v2.preprocess_input(ops.cast(ready["photo"], "float32"))


def model_of(train):
    branches = {"photo": from_model(PHOTO, network(), prepare=prepared, pool="mean", train=train),
                "face": from_model(FACE, Own(), train="none")}  # fmt: skip
    return mm.fusion_model([PHOTO, FACE], branches, mm.fusion.Concatenate(4), HEADS)


def statistics(model):
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    return {layer.name: np.concatenate([layer.moving_mean, layer.moving_variance]) for layer in norms}


def test_it_computes_what_the_model_does(ready):
    network = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None)
    wanted = network(keras.applications.mobilenet_v2.preprocess_input(ready["photo"].astype("float32")))
    for given in ({"prepare": prepared}, {"rescale": (1 / 127.5, -1.0)}):
        tokens, mask = from_model(PHOTO, network, pool="flatten", **given)({k: ready[k] for k in PHOTO.ready})
        np.testing.assert_allclose(np.reshape(tokens, wanted.shape), wanted, atol=1e-4)
        assert mask.shape == (8, 1)


def test_what_is_frozen_stays_as_it_is_and_is_frozen_in_the_file(ready, tmp_path):
    model = model_of(train=1)
    model.compile(mm.train.discriminative("adam", model, {"photo": 0.1}), **mm.heads.compile_for(HEADS))
    before, weights = statistics(model), model.get_weights()
    model.fit(ready, {"kind": np.arange(8) % 2}, verbose=0)
    moved = [name for name, values in statistics(model).items() if not np.array_equal(values, before[name])]
    assert moved and all(name.startswith(("block_2_", "Conv_1")) for name in moved)
    changed = sum(not np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    assert changed == len(model.trainable_variables) + 2 * len(moved)
    model.save(tmp_path / "model.keras")
    again = mm.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(ready)["kind"], model(ready)["kind"], atol=1e-6)
    assert [v.path for v in again.trainable_variables] == [v.path for v in model.trainable_variables]


def test_a_frozen_model_computes_as_in_inference(ready):
    face = {key: ready[key] for key in FACE.ready}
    branch = from_model(FACE, Own(), train="none")
    assert branch.trainable_variables == []
    np.testing.assert_array_equal(branch(face, training=True)[0], branch(face)[0])
    assert not np.allclose(from_model(FACE, Own())(face, training=True)[0], branch(face)[0])


def test_absent_pictures_leave_its_statistics_alone(ready):
    network = keras.Sequential([keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(name="norm")])
    branch = from_model(PHOTO, network, pool="mean")
    photo = {key: ready[key] for key in PHOTO.ready}
    branch(photo | {"photo_mask": np.zeros((8, 1), bool)}, training=True)
    assert not statistics(branch)["norm"][:2].any()
    branch(photo, training=True)
    assert statistics(branch)["norm"][:2].any()


def test_layers_are_blocks_where_no_block_is_known():
    network = keras.Sequential([keras.layers.Dense(4, name=name) for name in "abc"])
    branch = from_model(FACE, network, train=1)
    assert [v.path.split("/")[-2] for v in branch.trainable_variables] == ["c", "c"]


@pytest.mark.parametrize("output", ["pooled_output", "sequence_output"])
def test_an_encoder_of_keras_hub(preset, output):
    import keras_nlp

    spec = mm.Text("review", max_tokens=8, preset=preset)
    encoder = keras_nlp.models.Backbone.from_preset(str(preset))
    branch = from_model(
        spec,
        encoder,
        output=output,
        prepare=lambda ready: {"token_ids": ready["review"], "segment_ids": ops.zeros_like(ready["review"]),
                               "padding_mask": ops.cast(ready["review_mask"], "int32")},
    )  # fmt: skip
    ready = mm.preprocessor([spec])({"review": tf.constant(["The film, badly good!", "éel"])})
    wanted = text.pretrained(spec, pool="cls" if output == "pooled_output" else None)(ready)
    for a, b in zip(branch(ready), wanted, strict=True):
        np.testing.assert_allclose(ops.cast(a, "float32"), ops.cast(b, "float32"), atol=1e-5)


def test_files_of_it_answer_as_it_does(one_process, tmp_path):
    """Exports compare with the model themselves."""
    photo = mm.Image("photo", size=(8, 8), optional=True)
    network = keras.Sequential([keras.layers.Conv2D(2, 3, name="conv"), keras.layers.BatchNormalization(name="norm")])
    branches = {"photo": from_model(photo, network, rescale=(1 / 255,)), "face": from_model(FACE, Own())}
    model = mm.fusion_model([photo, FACE], branches, mm.fusion.Attention(4, num_heads=1), HEADS)
    preprocess = mm.preprocessor([photo, FACE])
    mm.export.saved_model(preprocess, model, tmp_path / "own" / "1")
    report = mm.export.litert(preprocess, model, tmp_path / "own.tflite", verbose=False)
    assert report["max_difference"] is not None


def several():
    x = keras.Input((3,), name="x")
    return keras.Model([x, keras.Input((2,), name="other")], keras.layers.Dense(2)(x))


def two_outputs():
    x = keras.Input((3,))
    return keras.Model(x, {"a": keras.layers.Dense(2)(x), "b": x})


def frozen():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, trainable=False, name="dense")])
    return model


VOICE = mm.Audio("voice", seconds=0.1, sample_rate=1000)
CONV1D = [keras.layers.Reshape((100, 1)), keras.layers.Conv1D(2, 10, strides=10)]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: from_model(FACE, several()), r"prepare is needed for the inputs of .*'face', which.*a list of \['x', 'ot"),
    (lambda: from_model(PHOTO, Own(), prepare=prepared, rescale=(1.0,)), r"prepare computes every.*rescale=\(1.0,\)"),
    (lambda: from_model(PHOTO, keras.applications.MobileNetV2((64, 64, 3), 0.35, weights=None)),
     r"must fit the inputs of .*, \[\(None, 64, 64, 3\)\]. Received: \[\(None, 32, 32, 3\)\]. Change the spec .*, or "
     "give prepare. ValueError: Input 0 .* is incompatible with the layer: expected shape=[^\x1b]*3\\)$"),
    (lambda: from_model(FACE, two_outputs()), r"output must name one .*\['a', 'b'\]. Received: None"),
    (lambda: from_model(FACE, two_outputs(), output="c"), "Received: 'c'"),
    (lambda: from_model(FACE, Own(), output=1), r"one of the outputs of the model of 'face': \[0\]. Received: 1"),
    (lambda: from_model(FACE, frozen()), "Received: train='all', and a model of which .* is frozen already"),
    (lambda: from_model(FACE, Own(), train=1), 'must be "all" or "none": the order .* subclassed. Received: 1'),
    (lambda: from_model(FACE, frozen(), train=2), "how many of its 1 blocks.*Received: 2"),
    (lambda: from_model(FACE, keras.Sequential([keras.layers.Reshape((3, 1, 1, 1))])),
     r"must be a vector .*Received: shape \(None, 3, 1, 1, 1\)"),
    (lambda: from_model(FACE, Own(), pool="mean"), r"pool of the branch of 'face' must be one of \[None\]"),
    (lambda: from_model(VOICE, keras.Sequential(CONV1D)), "Received: 10 tokens, and a mask of 100. Give mask"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_spec_or_no_model():
    with pytest.raises(TypeError, match="A branch is for a spec. Received: 'photo'. Give mm.Image"):
        from_model("photo", network())
    with pytest.raises(TypeError, match="from_model takes a keras.Model. Received: <Dense.*Wrap a layer"):
        from_model(FACE, keras.layers.Dense(2))
