"""A batch that is taken in parts trains as the whole batch does."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.layers import BatchNorm

SPECS = [mm.Text("note", max_tokens=4), mm.Table("facts", numeric=["size"])]
HEADS = [mm.heads.classification("kind", ["no", "yes"]), mm.heads.regression("price", mean=0.0, std=1.0)]


@pytest.fixture(scope="module")
def data():
    """Batches of 16 with weights, and the preprocessing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"note": rng.choice(["good day", "bad day", "a day"], 32), "size": rng.normal(size=32)})
    frame["kind"] = np.where(frame["size"] > 0.3, "yes", "no")
    frame["price"], frame["sure"] = frame["size"] * 2, rng.uniform(0.5, 2.0, 32)
    raw = mm.data.from_dataframe(frame, SPECS, HEADS, weights="sure")
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    return mm.data.train_batches(raw, preprocess, batch_size=16), preprocess


def trained(data, parts, *args, **how):
    """Weights and logs after two epochs."""
    model, history = fitted(data, parts, *args, **how)
    return [*model.get_weights(), *history.values()]


def fitted(data, parts, strategy="one_device", optimizer="sgd", batches=None, losses=("kind", "price")):
    given, preprocess = data
    keras.utils.set_random_seed(1)
    with mm.distribute.strategy(strategy).scope():
        note, facts = preprocess.specs
        branches = {
            "note": mm.branches.text.lstm(note, units=4, embed_dim=4, unknown_rate=0),
            "facts": mm.branches.table.mlp(facts, units=(4,), unknown_rate=0),
        }
        model = mm.fusion_model(preprocess.specs, branches, mm.fusion.Concatenate(4), HEADS)
        how = mm.heads.compile_for(HEADS)
        model.compile(optimizer, **{key: {name: how[key][name] for name in losses} for key in how})
    mm.train.micro_batches(model, parts=parts)
    given.epoch.assign(0)
    reset = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: given.epoch.assign(epoch))
    history = model.fit(batches or given, epochs=2, verbose=0, callbacks=[reset]).history
    return model, history


def near(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-5)


@pytest.fixture(scope="module")
def whole(data):
    return trained(data, 1)


@pytest.mark.parametrize(("parts", "strategy"), [(4, "one_device"), (3, "one_device"), (3, "mirrored")])
def test_weights_losses_and_metrics_are_those_of_the_whole_batch(data, whole, parts, strategy):
    near(trained(data, parts, strategy), whole)


def test_clipping_and_loss_scales_see_the_sum_of_the_parts(data):
    def clips():
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5, global_clipnorm=0.1))

    near(trained(data, 4, optimizer=clips()), trained(data, 1, optimizer=clips()))


def test_a_batch_with_fewer_examples_than_parts_has_fewer_parts(data):
    few = data[0].unbatch().batch(3).take(3).cache()
    near(trained(data, 8, batches=few), trained(data, 1, batches=few))


def test_what_no_loss_needs_is_not_touched(data):
    def kernels(rate):
        model, _ = fitted(data, 2, optimizer=keras.optimizers.AdamW(rate, weight_decay=0.5), losses=["kind"])
        return {v.path.split("/")[0]: v.numpy() for v in model.weights if v.path.endswith("kernel")}

    fresh, found = kernels(0.0), kernels(0.1)
    np.testing.assert_array_equal(found["price_standardised"], fresh["price_standardised"])
    assert not np.array_equal(found["kind_logits"], fresh["kind_logits"])


def test_moving_averages_take_a_step_for_each_part():
    inputs = {"x": keras.Input((1,), name="x")}
    model = mm.contract.NamedModel.of(inputs, {"y": BatchNorm(name="norm")(inputs["x"])})
    model.compile("sgd", "mse")
    mm.train.micro_batches(model, parts=2)
    model.fit({"x": np.array([[1.0], [3.0], [10.0], [20.0]])}, {"y": np.zeros((4, 1))}, batch_size=4, shuffle=False,
              verbose=0)  # fmt: skip
    np.testing.assert_allclose(model.get_layer("norm").moving_mean, [0.9 * 0.1 * 2 + 0.1 * 15], rtol=1e-6)


def test_labels_that_a_model_is_taught_with_are_cut_as_well():
    spec = mm.Vector("x", size=3)
    head = mm.heads.generation("caption", vocabulary=[" a", " b"], max_tokens=3, dropout=0.0)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    labels = {"caption": head.targets(head.encode(["a b", "b", "a", "b a"] * 2))}

    def weights(parts):
        keras.utils.set_random_seed(0)
        model = mm.encoder_decoder([spec], {"x": mm.branches.vector.linear(spec, dim=8)}, [head], dim=8)
        model.compile("sgd", **mm.heads.compile_for([head]))
        mm.train.micro_batches(model, parts=parts)
        ready = {name: x if name == "x" else np.ones((8, 1), bool) for name in model.input}
        model.fit(tf.data.Dataset.from_tensors((ready, labels)), verbose=0)
        return model.get_weights()

    near(weights(2), weights(1))


def test_what_cannot_be_taken_in_parts_is_refused(data):
    note = data[1].specs[0]
    branch = mm.branches.text.lstm(note, units=4, embed_dim=4)
    facts = mm.branches.table.mlp(data[1].specs[1], units=(4,))
    model = mm.fusion_model([note], {"note": branch}, mm.fusion.Concatenate(4), HEADS)
    for parts in (0, 2.0, True):
        with pytest.raises(ValueError, match=rf"parts must be a positive integer\. Received: {parts}"):
            mm.train.micro_batches(model, parts=parts)
    dual = mm.dual_encoder(data[1].specs, {"note": branch, "facts": facts}, dim=4)
    with pytest.raises(ValueError, match=r"learn from each example by itself\. Received: \['DualEncoder'\], comparing"):
        mm.train.micro_batches(dual, parts=2)
    with pytest.raises(ValueError, match=r"replaces the training step\. Received: PrivateModel, with its own\. Build"):
        mm.train.micro_batches(mm.train.private(model, noise=1.0), parts=2)
