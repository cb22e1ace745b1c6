import warnings

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
    """A model after so many steps, all by `train_on_batch`; without a graph, whose tracing takes most of the time."""
    model = small_model()
    model.compile(make_optimizer(model), loss="mse", run_eagerly=eager)
    for _ in range(epochs):
        model.train_on_batch(*DATA)
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
    plain = trained(lambda model: keras.optimizers.Adam(0.01), 3)
    wrapped = trained(lambda model: mm.train.discriminative(keras.optimizers.Adam(0.01), model, {}), 3)
    assert int(wrapped.optimizer.iterations) == 3
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
        one.run_eagerly = True
        one.train_on_batch(*DATA)
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
    with mm.distribute.strategy("mirrored", devices=["CPU:0", "CPU:1"]).scope():
        two = trained(lambda model: mm.train.discriminative("adam", model, {"a": 0.1}), 2, eager=False)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("frozen", [("a",), ("a", "b")])
def test_what_is_frozen_after_compiling_does_not_keep_it_from_loading(frozen, tmp_path):
    model = trained(lambda model: mm.train.discriminative("adam", model, {"a": 0.1, "b": 0.5}))
    for name in frozen:
        model.get_layer(f"{name}_branch").trainable = False
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that it drops Adam's state of other variables
        again = mm.load_model(tmp_path / "model.keras")
    kept = {1.0} if "b" in frozen else {0.5, 1.0}
    assert again.optimizer.factors == [factor for factor in model.optimizer.factors if factor in kept]
    again.train_on_batch(*DATA)
    again.get_layer("a_branch").trainable = True
    again.compile(again.optimizer, loss="mse", run_eagerly=True)
    with pytest.raises(ValueError, match=r"variables. Received: \d+, of which new: \['dense_0/kernel'.*again"):
        again.train_on_batch(*DATA)


@pytest.mark.parametrize("loaded", [False, True])
def test_factors_do_not_move_to_a_branch_that_is_thawed_for_another(loaded, tmp_path):
    """Both branches have weights of the same number, shapes and paths."""
    model = small_model()
    model.get_layer("b_branch").trainable = False
    model.compile(mm.train.discriminative("sgd", model, {"a": 0.1}), loss="mse", run_eagerly=True)
    model.train_on_batch(*DATA)
    model.get_layer("a_branch").trainable, model.get_layer("b_branch").trainable = False, True
    if loaded:
        model.save(tmp_path / "model.keras")
        model = mm.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"After unfreezing, call mm.train.discriminative\(model.optimizer"):
        model.train_on_batch(*DATA)
    model.compile(mm.train.discriminative(model.optimizer, model, {"b": 0.2}), loss="mse", run_eagerly=True)
    model.train_on_batch(*DATA)
    assert model.optimizer.factors[:2] == [0.2, 0.2]


def test_the_optimizer_it_is_given_stays_as_it_is():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    given, model = keras.optimizers.AdamW(schedule, weight_decay=0.1), small_model()
    given.exclude_from_weight_decay(var_names=["bias"])
    before = dict(vars(given))
    first = mm.train.discriminative(given, model, {"a": 0.1})
    second = mm.train.discriminative(first, model, {"a": 0.5})
    assert vars(given) == before and first.factors != second.factors
    assert len({id(each.optimizer) for each in (first, second)} | {id(given)}) == 3
    assert type(second.optimizer) is keras.optimizers.AdamW and second.optimizer._learning_rate is schedule
    kernel, bias = model.trainable_variables[:2]
    assert [second.optimizer._use_weight_decay(each) for each in (kernel, bias)] == [True, False]


def test_of_a_loss_scale_optimizer_the_inner_one_is_wrapped():
    given, model = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=8.0), small_model()
    for _ in range(2):
        given = mm.train.discriminative(given, model, {"a": 0.001})
        assert given.initial_scale == 8.0 and type(given.inner_optimizer.optimizer) is keras.optimizers.SGD
    model.compile(given, loss="mse", run_eagerly=True)
    model.train_on_batch(*DATA)
    far, near = (max(np.abs(step).max() for step in steps(model, name)) for name in "ba")
    assert 0 < near < 0.05 * far


def test_the_name_of_a_head_means_all_its_output_weights():
    heads = [*HEADS, mm.heads.classification("kind", ["a", "b"])]
    branches = {spec.name: mm.branches.table.mlp(spec, units=(4,)) for spec in SPECS}
    model = mm.hybrid_fusion_model(SPECS, branches, mm.fusion.Concatenate(4), heads)
    made = mm.train.discriminative("sgd", model, {"z": 0.1, "kind": 0.2, "z.a": 0.3})
    by_path = {variable.path: factor for variable, factor in zip(model.trainable_variables, made.factors, strict=True)}
    assert {path.split("/")[0] for path, factor in by_path.items() if factor == 0.1} == {
        "z-of-all_standardised", "z.b_standardised", "z"}  # fmt: skip
    assert {path.split("/")[0] for path, factor in by_path.items() if factor == 0.2} == {
        "kind-of-all_logits", "kind.a_logits", "kind.b_logits", "kind"}  # fmt: skip
    assert by_path["z.a_standardised/kernel"] == 0.3


@pytest.mark.parametrize(("factors", "message"), [
    ({"aa": 0.1}, "factors must be given by branch. Received: 'aa'. Did you mean 'a'"),
    ({"a": 0}, "must be a positive number. Received: 'a': 0.*train=\"none\""),
    ({"a": "0.1"}, "must be a positive number. Received: 'a': '0.1'"),
    ({"a": None}, "Received: 'a': None"), ({"a": float("inf")}, "Received: 'a': inf"),
    ({"a_mask": 0.1}, "factors are for trainable branches. Received: 'a_mask', which is frozen or has no weights"),
    ({"b": 0.1}, "Received: 'b', which is frozen"),
])  # fmt: skip
def test_errors(factors, message):
    model = small_model()
    model.get_layer("b_branch").trainable = False
    with pytest.raises(ValueError, match=message):
        mm.train.discriminative("adam", model, factors)
