"""Two replicas train as one device does."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import distribute

HEADS = [
    mm.heads.classification("answer", mm.data.generate.ANSWERS),
    mm.heads.regression("loudness", mean=-18.0, std=6.0),
]
SPECS = [
    mm.Text("question", max_tokens=16, vocabulary_size=60),
    mm.Table("meta", numeric=["hour"], categorical=["room"]),
]


@pytest.fixture(scope="module")
def found(scenes, tmp_path_factory):
    """Losses, weights and answers of the same training on one device and on two, the latter interrupted and resumed."""
    folder = tmp_path_factory.mktemp("runs")
    raw = mm.data.from_csv(scenes, SPECS, HEADS)
    preprocess = mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)
    evaluation = mm.data.eval_batches(raw, preprocess, HEADS)

    def fit(strategy, run, epochs=3):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            branches = {
                "question": mm.branches.text.lstm(SPECS[0], units=8, embed_dim=8, unknown_rate=0),
                "meta": mm.branches.table.mlp(SPECS[1], units=(8,), unknown_rate=0),
            }
            model = mm.fusion_model(SPECS, branches, mm.fusion.Concatenate(8), HEADS)
            model.compile("adam", **mm.heads.compile_for(HEADS))
        batches = mm.data.train_batches(raw, preprocess, HEADS, batch_size=40)
        callbacks = mm.train.callbacks(folder / run, batches, monitor="loss", patience=None)
        history = model.fit(batches, epochs=epochs, verbose=0, callbacks=callbacks).history
        return model, history["loss"]

    one, two = distribute.strategy("one_device"), distribute.strategy(devices=["CPU:0", "/cpu:1"])
    first, alone = fit(one, "one")
    _, begun = fit(two, "two", epochs=1)
    second, rest = fit(two, "two")
    answers = [mm.evaluate.predict(model, evaluation)[1]["loudness"] for model in (first, second)]
    weights = [np.concatenate([weight.ravel() for weight in model.get_weights()]) for model in (first, second)]
    strategies = (one, two, distribute.strategy(), distribute.strategy(devices=["CPU:1"]))
    replicas = [strategy.num_replicas_in_sync for strategy in strategies]
    return {"replicas": replicas, "losses": [alone, begun + rest], "weights": weights, "answers": answers}


def test_devices_become_replicas(found):
    assert found["replicas"] == [1, 2, 2, 1]


# At most 1e-6 was measured; sums are computed in another order. The model has no dropout and no batch normalisation.
@pytest.mark.parametrize("what", ["losses", "weights", "answers"])
def test_two_replicas_equal_one_device(found, what):
    one, two = found[what]
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-5)


def test_losses_went_down(found):
    assert found["losses"][0][-1] < found["losses"][0][0]


def test_strategy_is_passed_through():
    given = tf.distribute.OneDeviceStrategy("CPU:0")
    assert distribute.strategy(given) is given
    assert distribute.strategy("none") is tf.distribute.get_strategy()
    with pytest.raises(ValueError, match="Leave devices= out"):
        distribute.strategy(given, devices=["CPU:0"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "mirored"}, ValueError, r"Received: 'mirored'.*Did you mean 'mirrored'"),
        ({"name": "multi_worker"}, ValueError, r"TF_CONFIG, with the addresses.*Received: 'multi_worker'"),
        ({"devices": ["GPU:77"]}, ValueError, r"visible ones: .*Received: \['GPU:77'\]"),
        ({"name": "one_device", "devices": ["CPU:0", "CPU:0"]}, ValueError, r"One device is needed"),
        ({"mixed_precision": "float61"}, ValueError, r"Received: 'float61'.*Did you mean 'float16'"),
    ],
)
def test_errors_name_the_remedy(arguments, error, message):
    with pytest.raises(error, match=message):
        distribute.strategy(**arguments)


@pytest.mark.parametrize(
    ("given", "policy"), [("float16", "mixed_float16"), ("bfloat16", "mixed_bfloat16"), (False, "float32")]
)
def test_mixed_precision_sets_the_policy(given, policy):
    before = keras.config.dtype_policy()
    try:
        distribute.strategy(mixed_precision=given)
        assert keras.config.dtype_policy().name == policy
        distribute.strategy()
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy(before)


def test_every_modality_trains_on_two_replicas(tiny_model, raw, preprocess, specs, heads):
    with distribute.strategy("mirrored").scope():
        model = tiny_model(specs, heads)
        model.compile("adam", **mm.heads.compile_for(heads))
    batches = mm.data.train_batches(raw, preprocess, heads, batch_size=40)
    history = model.fit(batches, validation_data=mm.data.eval_batches(raw, preprocess, heads), verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()


def test_accumulated_gradients_are_refused_on_several_replicas():
    def model(strategy, scaled=False):
        with strategy.scope():
            branches = {"meta": mm.branches.table.mlp(SPECS[1], units=(2,))}
            model = mm.fusion_model(SPECS[1:], branches, mm.fusion.Concatenate(2), HEADS[1:])
            optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer
            model.compile(optimizer, **mm.heads.compile_for(HEADS[1:]))
        return model

    frame = pd.DataFrame({"hour": range(8), "room": "hall", "loudness": range(8)})
    raw = mm.data.from_dataframe(frame, SPECS[1:], HEADS[1:])
    batches = mm.data.train_batches(raw, mm.adapt(mm.preprocessor(SPECS[1:]), raw, verbose=False), batch_size=4)
    for scaled in (False, True):
        with pytest.raises(
            ValueError, match=r"single replica only\. Received: .*steps=2 for 2 .*micro_batches\(model, parts=2"
        ):
            model(distribute.strategy("mirrored"), scaled).fit(batches, verbose=0)
    assert np.isfinite(model(distribute.strategy("one_device")).fit(batches, verbose=0).history["loss"][0])
