import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras.branches import image

PHOTO = mm.Image("photo", size=(32, 64), optional=True)
GREY = mm.Image("photo", size=(32, 32), channels=1)
SMALL = {"depth": 18, "filters": 4}


@pytest.fixture(scope="module")
def ready():
    rng = np.random.default_rng(0)
    return {"photo": rng.integers(0, 256, (2, 32, 64, 3), "uint8"), "photo_mask": np.array([[True], [False]])}


MAKERS = {"resnet": lambda spec, **rest: image.resnet(spec, **SMALL, **rest),
          "mobilenet": lambda spec, **rest: image.mobilenet(spec, alpha=0.25, minimalistic=True, **rest)}  # fmt: skip


@pytest.mark.parametrize("maker", MAKERS)
def test_tokens_are_places_and_an_absent_image_has_none(maker, ready):
    tokens, mask = MAKERS[maker](PHOTO)(ready)
    assert tokens.shape[:2] == (2, 2)
    assert mask.numpy().tolist() == [[True, True], [False, False]]
    pooled, mask = MAKERS[maker](PHOTO, pool="mean")(ready)
    assert pooled.shape == (2, 1, tokens.shape[2]) and mask.numpy().tolist() == [[True], [False]]


def test_grey_is_the_same_as_three_equal_channels():
    branch, coloured = image.resnet(GREY, **SMALL), image.resnet(mm.Image("photo", size=(32, 32)), **SMALL)
    coloured.set_weights(branch.get_weights())
    grey = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 1), "uint8")
    np.testing.assert_allclose(branch({"photo": grey})[0], coloured({"photo": np.repeat(grey, 3, -1)})[0], atol=1e-5)


def test_resnet50_eats_what_its_weights_were_trained_on(ready, monkeypatch):
    fed = keras.Model(inputs := keras.Input((32, 64, 3)), inputs)
    monkeypatch.setattr(image.resnet.__globals__["keras"].applications, "ResNet50", lambda **options: fed)
    pixels = image.resnet(PHOTO, depth=50, pool="flatten")(ready)[0]
    wanted = keras.applications.resnet50.preprocess_input(ready["photo"].astype("float32"))
    np.testing.assert_allclose(np.reshape(pixels, wanted.shape), wanted, atol=1e-3)


def test_resnet18_is_that_of_the_paper():
    branch = image.resnet(mm.Image("photo", size=(64, 64)), depth=18)
    # torchvision's model has 11,176,512, without its last layer and the moving statistics of its 4,800 normalised
    # channels.
    assert branch.get_layer("backbone").model.count_params() - 2 * 4800 == 11_176_512
    assert branch.output_shape == [(None, 4, 512), (None, 4)]


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_frozen_stays_as_it_is(maker, ready):
    branch = MAKERS[maker](PHOTO, train=2, pool="mean")
    model = branch.get_layer("backbone").model
    before = {weight.path: weight.numpy() for weight in model.weights}
    head = keras.Model(branch.input, keras.layers.Dense(1)(branch.output[0]))
    head.compile("sgd", "mse", run_eagerly=True)
    head.fit(ready, np.ones((2, 1, 1)), verbose=0)
    moved = {path.split("/")[0] for path, weight in before.items()
             if not np.array_equal(weight, next(w for w in model.weights if w.path == path))}  # fmt: skip
    last = {"resnet": ("block_6_", "block_7_"), "mobilenet": ("expanded_conv_9_", "expanded_conv_10_", "conv_1")}[maker]
    assert moved and all(name.startswith(last) for name in moved), moved
    assert len(branch.trainable_variables) < len(MAKERS[maker](PHOTO, pool="mean").trainable_variables)


def test_weights_of_a_file(ready, tmp_path):
    first = image.resnet(PHOTO, **SMALL, pool="mean")
    first.get_layer("backbone").model.save_weights(tmp_path / "own.weights.h5")
    keras.utils.set_random_seed(1)
    second = image.resnet(PHOTO, **SMALL, pool="mean", weights=tmp_path / "own.weights.h5", train="none")
    np.testing.assert_allclose(first(ready)[0], second(ready)[0], atol=1e-6)
    with pytest.raises(ValueError, match="(?s)weights of image.resnet of 'photo' must load.*very architecture"):
        image.resnet(PHOTO, depth=18, filters=8, weights=tmp_path / "own.weights.h5")


def test_vit_sees_patches_in_their_places(ready):
    branch = image.vit(PHOTO, patch=16, dim=8, num_heads=2, num_layers=0)
    conv, position, norm = (branch.get_layer(name) for name in ("patches", "position", "norm"))
    x = ready["photo"][:1].astype("float32") / 127.5 - 1.0
    patches = x.reshape(1, 2, 16, 4, 16, 3).transpose(0, 1, 3, 2, 4, 5).reshape(1, 8, -1)
    kernel, bias = (np.array(weight) for weight in conv.weights)
    wanted = patches @ kernel.reshape(-1, 8) + bias + np.array(position.table)
    wanted = (wanted - wanted.mean(-1, keepdims=True)) / np.sqrt(wanted.var(-1, keepdims=True) + norm.epsilon)
    tokens, mask = branch(ready)
    np.testing.assert_allclose(tokens[:1], wanted, atol=1e-4)
    assert mask.numpy().all(axis=1).tolist() == [True, False]
    assert image.vit(PHOTO, patch=16, dim=8, num_heads=2, num_layers=1, pool="mean").output_shape == [
        (None, 1, 8),
        (None, 1),
    ]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: image.resnet(PHOTO, depth=20), "depth of image.resnet of 'photo' must be 18, 34 or 50. Received: 20"),
    (lambda: image.resnet(mm.Image("p", size=(8, 64))), "needs images of 32 x 32 .*'p' with size=\\(8, 64\\)"),
    (lambda: image.resnet(PHOTO, depth=18, weights="imagenet"), "No ImageNet weights are published .*image.resnet"),
    (lambda: image.mobilenet(PHOTO, alpha=0.5, weights="imagenet"), "No ImageNet weights .*image.mobilenet"),
    (lambda: image.resnet(PHOTO, **SMALL, train=9), 'how many of its 8 blocks, from the last one on. Received: 9'),
    (lambda: image.resnet(PHOTO, **SMALL, train=True), "Received: True"),
    (lambda: image.mobilenet(PHOTO, pool="last"), "pool of the branch of 'photo'"),
    (lambda: image.vit(PHOTO, patch=7), "multiples of patch.*patch=7.*such as \\(28, 63\\)"),
    (lambda: image.vit(PHOTO, dim=10), "heads of 'photo' must divide dim. Received: num_heads=4, dim=10"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_that_are_not_there(monkeypatch):
    with pytest.raises(FileNotFoundError, match="must be a file. Received: 'nowhere.h5'"):
        image.resnet(PHOTO, weights="nowhere.h5")

    def offline(*args, **options):
        raise Exception("URL fetch failure on https://x/notop.h5: no route")

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", offline)
    with pytest.raises(ValueError, match="must load. Received: 'imagenet'.*URL fetch failure.*give its path"):
        image.mobilenet(PHOTO, weights="imagenet")
