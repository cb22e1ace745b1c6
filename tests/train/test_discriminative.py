import keras
import numpy as np
import pytest

import mmkeras as mm

SPECS = [mm.Table("a", numeric=["x"]), mm.Table("b", numeric=["y"])]
HEADS = [mm.heads.regression("z", mean=0.0, std=1.0)]
READY = {"a": [[1.0], [2.0]], "a_mask": [[True]] * 2, "b": [[3.0], [1.0]], "b_mask": [[True]] * 2}
DATA = {name: np.array(value) for name, value in READY.items()}, {"z": np.array([[1.0], [9.0]])}


def small_model():
    keras.utils.set_random_seed(0)
    branches = {spec.name: mm.branches.table.mlp(spec, units=(4,)) for spec in SPECS}
    return mm.fusion_model(SPECS, branches, mm.fusion.Concatenate(dim=4), HEADS)


def steps(model, name):
    """How far each variable of a branch has gone from where it began."""
    before = small_model().get_layer(f"{name}_branch").get_weights()
    return [after - first for after, first in zip(model.get_layer(f"{name}_branch").get_weights(), before, strict=True)]


def trained(make_optimizer, epochs=1, eager=True):
    """A model after so many steps; without a graph, whose tracing takes most of the time."""
    model = small_model()
    model.compile(make_optimizer(model), loss="mse", run_eagerly=eager)
    model.fit(*DATA, epochs=epochs, batch_size=2, verbose=0)
    return model


@pytest.mark.parametrize("make", [
    lambda: keras.optimizers.Adam(0.01), lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    lambda: keras.optimizers.AdamW(0.01, weight_decay=0.3), lambda: keras.optimizers.RMSprop(0.01, clipnorm=1.0),
], ids=["Adam", "SGD", "AdamW", "RMSprop"])  # fmt: skip
def test_a_step_is_a_tenth_where_the_rate_is(make):
    plain = trained(lambda model: make())
    scaled = trained(lambda model: mm.train.discriminative(make(), model, {"a": 0.1}))
    for whole, tenth in zip(steps(plain, "a"), steps(scaled, "a"), strict=True):
        assert np.abs(whole).max() > 0
        np.testing.assert_allclose(tenth, 0.1 * whole, atol=1e-7, rtol=1e-3)
    for one, other in zip(steps(plain, "b"), steps(scaled, "b"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


def test_with_all_factors_at_one_it_is_the_optimizer_itself():
    plain = trained(lambda model: keras.optimizers.Adam(0.01), 5)
    wrapped = trained(lambda model: mm.train.discriminative(keras.optimizers.Adam(0.01), model, {}), 5)
    assert int(wrapped.optimizer.iterations) == 5
    for one, other in zip(plain.get_weights(), wrapped.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_schedules_and_callbacks_change_the_common_rate():
    model = small_model()
    model.compile(mm.train.discriminative("sgd", model, {"a": 0.5}), loss="mse", run_eagerly=True)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    model.fit(*DATA, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.0)])
    assert not any(np.abs(step).max() for step in steps(model, "a") + steps(model, "b"))


def test_a_saved_model_goes_on_where_it_was(tmp_path):
    model = trained(lambda model: mm.train.discriminative("adam", model, {"a": 0.1}), 3)
    model.save(tmp_path / "model.keras")
    again = mm.load_model(tmp_path / "model.keras")
    assert again.optimizer.factors == model.optimizer.factors
    for one in (model, again):
        one.fit(*DATA, epochs=2, batch_size=2, verbose=0)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


def test_loss_scaling_keeps_the_factors():
    def scaled(model):
        optimizer = mm.train.discriminative(keras.optimizers.SGD(0.01), model, {"a": 0.001})
        return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = trained(scaled, eager=False)
    finally:
        keras.config.set_dtype_policy(policy)
    assert int(model.optimizer.iterations) == 1
    far, near = (max(np.abs(step).max() for step in steps(model, name)) for name in "ba")
    assert 0 < near < 0.05 * far


def test_two_replicas_take_the_step_of_one():
    one = trained(lambda model: mm.train.discriminative("adam", model, {"a": 0.1}), 2)
    with mm.distribute.strategy("mirrored", ["CPU:0", "CPU:1"]).scope():
        two = trained(lambda model: mm.train.discriminative("adam", model, {"a": 0.1}), 2, eager=False)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_errors():
    model = small_model()
    with pytest.raises(ValueError, match="rates are by branch. Received: 'aa'. Did you mean 'a'"):
        mm.train.discriminative("adam", model, {"aa": 0.1})
    with pytest.raises(ValueError, match="must be positive. Received: 'a': 0.*train=\"none\""):
        mm.train.discriminative("adam", model, {"a": 0})
    optimizer = mm.train.discriminative("adam", model, {"a": 0.1})
    model.get_layer("b_branch").trainable = False
    with pytest.raises(ValueError, match="Call mm.train.discriminative again"):
        optimizer.build(model.trainable_variables)
