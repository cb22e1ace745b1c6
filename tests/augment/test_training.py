"""Augmentation belongs to training batches alone: evaluation and export never see it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export.ops import used_ops


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True))


@pytest.fixture(scope="module")
def two(specs):
    return specs[1:3]


@pytest.fixture(scope="module")
def weighted(raw):
    """A classification with class weights, several labels, and a value."""
    heads = [
        mm.heads.classification("answer", mm.data.generate.ANSWERS, class_weights="balanced"),
        mm.heads.classification("objects", mm.data.generate.SHAPES, multi_label=True),
        mm.heads.regression("loudness"),
    ]
    return mm.heads.adapt(heads, raw)


@pytest.fixture(scope="module")
def read(scenes, two, weighted):
    return mm.data.from_csv(scenes, two, weighted)


@pytest.fixture(scope="module")
def make(read, two, weighted, tmp_path_factory):
    """Function -> batches of pictures and sounds, augmented and mixed."""
    ready = mm.adapt(mm.preprocessor(two), read, verbose=False)
    folder = str(tmp_path_factory.mktemp("cache"))

    def make(cache=folder, seed=0, augmented=True):
        augment = [
            mm.augment.image(two[0], flip=True, shift=0.1),
            mm.augment.audio(two[1], gain_db=6, shift_seconds=0.05, noise=(10, 40)),
            mm.augment.mix(two, weighted, mixup=0.4, cutmix=1.0),
        ]
        augment = augment if augmented else None
        return mm.data.train_batches(
            read, ready, weighted, batch_size=40, seed=seed, cache=cache, augment=augment, verbose=False
        )

    make.preprocess = ready
    return make


@pytest.fixture(scope="module")
def build(two, weighted):
    def build():
        keras.utils.set_random_seed(1)
        branches = {
            "photo": mm.branches.image.conv2d(two[0], filters=(4, 8)),
            "voice": mm.branches.audio.conv2d(
                two[1], filters=(4, 8), mel_bands=16, spec_augment=mm.layers.SpecAugment(band_width=4, seed=1)
            ),
        }
        model = mm.fusion_model(two, branches, mm.fusion.Concatenate(8), weighted)
        model.compile("adam", **mm.heads.compile_for(weighted))
        return model

    return build


def test_epochs_repeat_by_seed_and_differ_from_each_other(make):
    batches, cached = make(None), make()
    first, second = list(batches), list(batches)
    assert equal([first, second], [list(cached), list(cached)])
    assert not equal([x for x, *_ in first], [x for x, *_ in make(augmented=False)])
    cached.epoch.assign(1)
    assert equal(second, list(cached))
    assert not equal(first, list(make(seed=1)))


def test_class_weights_follow_the_mixed_labels(make, weighted):
    weights = weighted[0].class_weights
    each = np.array([weights[name] for name in weighted[0].classes])
    for _, labels, found in make():
        np.testing.assert_allclose(found["answer"], labels["answer"].numpy() @ each, rtol=1e-5)
        assert set(found["loudness"].numpy()) == {1.0}


def test_evaluation_never_augments(make, read, weighted):
    evaluation = mm.data.eval_batches(read, make.preprocess, weighted)
    before = list(evaluation)
    list(make())
    assert equal(before, list(evaluation))
    assert {labels["answer"].dtype for _, labels in before} == {tf.int32}
    graph = evaluation._as_serialized_graph().numpy()  # the graph of evaluation contains nothing random
    assert b"Map" in graph
    assert b"andom" not in graph
    assert b"andom" in make()._as_serialized_graph().numpy()


def test_two_replicas_fit_on_mixed_labels_and_evaluate_on_plain_ones(make, build, read, weighted, tmp_path):
    evaluation = mm.data.eval_batches(read, make.preprocess, weighted)
    with mm.distribute.strategy(devices=["CPU:0", "CPU:1"]).scope():
        model = build()
    batches = make()
    callbacks = mm.train.callbacks(tmp_path, batches)
    history = model.fit(batches, validation_data=evaluation, epochs=1, callbacks=callbacks, verbose=0).history
    assert np.isfinite([*history["loss"], *history["val_loss"]]).all()


def test_evaluation_scores_are_those_of_the_plain_labels_and_the_export_holds_no_random_op(
    make, build, read, weighted, tmp_path
):
    model, evaluation = build(), mm.data.eval_batches(read, make.preprocess, weighted)
    history = model.fit(make(), validation_data=evaluation, verbose=0).history
    _, probabilities = mm.evaluate.predict(model, evaluation)
    right = np.mean(probabilities["answer"].argmax(1) == read.table["answer"])
    assert history["val_answer_accuracy"][0] == pytest.approx(right, abs=1e-6)
    mm.export.saved_model(make.preprocess, model, tmp_path / "1", heads=weighted, samples=read)
    assert [op for op in used_ops(tmp_path / "1") if "random" in op.lower()] == []


def test_an_augmentation_keeps_the_contract(make, read, weighted):
    faulty = lambda ready, labels, seed: ready  # noqa: E731
    with pytest.raises(ValueError, match=r"must return \(ready, labels\).*Expected: .*Received: .*lambda"):
        mm.data.train_batches(read, make.preprocess, weighted, augment=faulty)
    floats = lambda ready, labels, seed: (ready | {"photo": tf.cast(ready["photo"], tf.float32)}, labels)  # noqa: E731
    with pytest.raises(ValueError, match="names, dtypes and ranks"):
        mm.data.train_batches(read, make.preprocess, weighted, augment=[floats])
