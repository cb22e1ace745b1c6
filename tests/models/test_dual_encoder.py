"""A dual encoder trains with plain `fit`, on one device and on two, and its towers stand alone."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import losses

CPUS = ["CPU:0", "CPU:1"]
SPECS = [mm.Vector("left", size=6), mm.Vector("right", size=5, optional=True)]


def build(specs=SPECS, **arguments):
    keras.utils.set_random_seed(3)
    branches = {spec.name: mm.branches.vector.linear(spec, dim=8) for spec in specs}
    return mm.dual_encoder(specs, branches, **{"dim": 8} | arguments)


def pairs(rows=64, absent=0.2):
    rng = np.random.default_rng(0)
    left = rng.normal(size=(rows, 6)).astype("float32")
    right = (left @ rng.normal(size=(6, 5))).astype("float32")
    there = {"left_mask": np.ones((rows, 1), bool), "right_mask": rng.random((rows, 1)) >= absent}
    return {"left": left, "right": right, **there}


def batches(size=16, labels=False, rows=64):
    x = pairs(rows)
    y = ({"kind": np.arange(rows, dtype="int32") // 4},) if labels else ()
    return tf.data.Dataset.from_tensor_slices((x, *y)).batch(size, drop_remainder=True)


def gradients(model, **arguments):
    """Loss of the first step, its gradients by variable, and losses of three epochs, all through `fit`."""
    first = model.fit(batches(**arguments).take(1), verbose=0).history["loss"]
    # Read from the velocities of SGD: the weights are rounded to 6e-8, which is up to 1.2e-6 of a gradient.
    step = [np.asarray(velocity) / -0.1 for velocity in model.optimizer.momentums]
    return first + model.fit(batches(**arguments), epochs=3, verbose=0).history["loss"], step


LOSSES = {
    "InfoNCE chunks": lambda: losses.InfoNCE(chunk=3),
    "SigLIP": lambda: losses.SigLIP(),
    "SupervisedContrastive": lambda: losses.SupervisedContrastive("kind"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_two_replicas_equal_one_device(name):
    found = []
    for strategy in (mm.distribute.strategy("one_device"), mm.distribute.strategy("mirrored", devices=CPUS)):
        with strategy.scope():
            model = build(bias=-3.0 if name == "SigLIP" else None)
            model.compile(keras.optimizers.SGD(0.1, momentum=1e-6), LOSSES[name]())
        found.append(gradients(model, labels=name == "SupervisedContrastive"))
    (one, one_step), (two, two_step) = found
    np.testing.assert_allclose(two, one, rtol=1e-6, atol=1e-6)
    assert one[-1] < one[1] - 0.01 and max(np.abs(step).max() for step in one_step) > 1e-3
    for a, b in zip(one_step, two_step, strict=True):
        # Of SigLIP, which sums over the batch, gradients reach 41 here, and float32 holds 7 digits of them.
        assert np.abs(b - a).max() <= 1e-6 * max(1.0, np.abs(a).max())


def test_an_uneven_evaluation_equals_one_device():
    found = []
    uneven = tf.data.Dataset.from_tensor_slices((pairs(),)).batch(15)  # 8 and 7 rows, and a last batch of 4
    for strategy in (mm.distribute.strategy("one_device"), mm.distribute.strategy("mirrored", devices=CPUS)):
        with strategy.scope():
            model = build()
            model.compile("sgd", losses.InfoNCE())
        found.append(model.evaluate(uneven, verbose=0))
    assert found[1] == pytest.approx(found[0], abs=1e-5)


def test_uneven_replicas_are_refused():
    with mm.distribute.strategy("mirrored", devices=CPUS).scope():
        model = build()
        model.compile("sgd", losses.InfoNCE())
    with pytest.raises(
        ValueError, match=r"2 replicas needs as many.*Received: batches of \[15\]. Give a batch_size th"
    ):
        model.fit(batches(15), verbose=0)
    unknown = tf.data.Dataset.from_tensor_slices((pairs(),)).batch(16)
    with pytest.raises(ValueError, match=r"Received: batches of unknown size. Give train_batches"):
        model.fit(unknown, verbose=0)


def test_fit_on_raw_pairs_brings_partners_together(tmp_path):
    x = pairs(absent=0)
    frame = pd.DataFrame({name: list(x[name]) for name in ("left", "right")})
    raw = mm.data.from_dataframe(frame, SPECS)
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    train = mm.data.train_batches(raw, preprocess, heads=(), batch_size=16)
    model = build()
    model.compile(keras.optimizers.Adam(0.02), losses.InfoNCE())
    callbacks = mm.train.callbacks(tmp_path, train, monitor="loss", patience=None)
    history = model.fit(train, epochs=15, callbacks=callbacks, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    found = model.predict(mm.data.eval_batches(raw, preprocess), verbose=0)
    nearest = np.argmax(found["left"] @ found["right"].T, axis=1)
    assert np.mean(nearest == np.arange(64)) > 0.6
    model.save(tmp_path / "model.keras")
    again = mm.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, losses.InfoNCE) and float(again.scale) == pytest.approx(float(model.scale))
    evaluation = mm.data.eval_batches(raw, preprocess)
    assert again.evaluate(evaluation, verbose=0) == pytest.approx(model.evaluate(evaluation, verbose=0))


def test_towers_stand_alone_and_what_is_absent_is_zeros():
    model, x = build(), pairs()
    found = model.predict(x, verbose=0)
    for name in ("left", "right"):
        there = x[f"{name}_mask"][:, 0]
        np.testing.assert_allclose(np.linalg.norm(found[name], axis=1), there, atol=1e-5)
        tower = model.tower(name)
        assert list(tower.input) == [name, f"{name}_mask"]
        alone = tower.predict({key: x[key] for key in tower.input}, verbose=0)
        np.testing.assert_allclose(alone[name], found[name], atol=1e-6)
    with pytest.raises(ValueError, match=r"has the modalities \['left', 'right'\]. Received: 'rigth'. Did you mean"):
        model.tower("rigth")


def test_the_scale_is_learned_and_clamped():
    model = build(temperature=0.011)
    model.compile(keras.optimizers.SGD(10.0), losses.InfoNCE())
    seen = []
    keep = keras.callbacks.LambdaCallback(on_batch_end=lambda *_, **__: seen.append(float(model.scale)))
    model.fit(batches(), epochs=3, verbose=0, callbacks=[keep])
    assert abs(seen[0] - 1 / 0.011) > 0.1 and min(seen) >= 0.01 * 0.999 and max(seen) <= 100 * 1.001


def test_loss_is_float32_under_mixed_precision():
    exact = build()
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = build()
        model.compile("sgd", losses.InfoNCE())
        found = model(pairs())
        assert {each.dtype for each in found.values()} == {tf.float32}
        loss = model.compute_loss(None, None, found)
        assert loss.dtype == tf.float32
        np.testing.assert_allclose(loss, losses.InfoNCE()(exact(pairs()), scale=exact.scale), rtol=0.05)
        assert np.isfinite(model.fit(batches(), verbose=0).history["loss"][0])
    finally:
        keras.config.set_dtype_policy(policy)


def test_weights_without_heads_are_refused():
    frame = pd.DataFrame({"left": list(pairs()["left"]), "right": list(pairs()["right"]), "w": 1.0})
    raw = mm.data.from_dataframe(frame, SPECS, weights="w")
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    with pytest.raises(
        ValueError,
        match=r"Sample weights need heads, whose losses they weight. Received: heads=\(\) and examples with weight",
    ):
        mm.data.train_batches(raw, preprocess, heads=(), batch_size=16)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build(SPECS[:1]), r"compares modalities: it needs two or more. Received: \['left'\]. Add one"),
        (lambda: build(temperature=0.001), r"must be within 1 / most and most.*Received: initial=0.001, most=100.0"),
        (lambda: build().compile("sgd", "mse"), r"a loss of mmkeras.losses. Received: loss='mse'. Give loss=mm.losses"),
        (lambda: build().compile("sgd", losses.SigLIP()), r"SigLIP needs a bias. Received: none. Build the model with"),
    ],
)
def test_errors_name_the_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()
