"""Labels that are missing: weight 0 in the loss, the metrics and the report."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm

SPECS = [mm.Table("row", numeric=["a"])]
KIND, SIZE = mm.heads.classification("kind", ["x", "y"]), mm.heads.regression("size", mean=0.0, std=2.0)
HEADS = [KIND, SIZE]
N = 24


def frame(missing=True):
    """Every third row lacks its kind, and the next one its size."""
    a = np.linspace(-2, 2, N)
    kind = np.where(a > 0, "y", "x").astype(object)
    size = a.astype(object) * 2
    if missing:
        kind[::3], size[1::3] = None, None
    return pd.DataFrame({"a": a, "kind": kind, "size": size})


def read(table, heads=HEADS):
    return mm.data.from_dataframe(table, SPECS, heads)


def model():
    keras.utils.set_random_seed(0)
    branch = mm.branches.table.mlp(SPECS[0], units=(4,))
    made = mm.fusion_model(SPECS, {"row": branch}, mm.fusion.Concatenate(4), HEADS)
    made.compile(keras.optimizers.Adam(0.05), **mm.heads.compile_for(HEADS))
    return made


@pytest.fixture(scope="module")
def preprocess():
    return mm.adapt(mm.preprocessor(SPECS), read(frame(missing=False)), verbose=False)


@pytest.fixture(params=["memory", None, "shards"])
def batches(request, preprocess, tmp_path):
    raw = read(frame())
    if request.param == "shards":
        mm.data.write_tfrecord(raw, SPECS, HEADS, tmp_path / "a-*.tfrecord", shards=1, verbose=False)
        raw = mm.data.from_tfrecord(tmp_path / "a-*.tfrecord", SPECS, HEADS)
    cache = request.param if request.param == "memory" else None
    return mm.data.eval_batches(raw, preprocess, batch_size=7, cache=cache, verbose=False)


def known():
    table = frame()
    return {name: table[name].notna().to_numpy() for name in ("kind", "size")}


def test_batches_give_them_no_weight(batches):
    parts = list(batches.as_numpy_iterator())
    for name, there in known().items():
        np.testing.assert_array_equal(np.concatenate([weights[name] for _, _, weights in parts]), there)
        labels = np.concatenate([labels[name] for _, labels, _ in parts])
        np.testing.assert_array_equal(labels[~there], 0)


def test_loss_metrics_and_report_are_those_of_the_rows_that_have_one(batches, preprocess):
    fitted = model()
    logs = fitted.evaluate(batches, return_dict=True, verbose=0)
    found = mm.evaluate.report(fitted, batches, HEADS)["models"]["model"]
    full = read(frame(missing=False))
    x, y = next(iter(mm.data.eval_batches(full, preprocess, batch_size=N).as_numpy_iterator()))
    outputs = {name: np.asarray(value) for name, value in fitted(x).items()}
    for head, metric in ((KIND, "accuracy"), (SIZE, "mae")):
        there = known()[head.name]
        wanted = mm.evaluate.scores(head, y[head.name][there], outputs[head.name][there])
        assert found[head.name][metric] == pytest.approx(wanted[metric], rel=1e-5)
        assert found[head.name]["examples"] == there.sum()
        assert logs[f"{head.name}_{metric}"] == pytest.approx(wanted[metric], rel=1e-5)
        loss = float(head.loss()(y[head.name][there], outputs[head.name][there])) * there.sum() / N
        assert logs[f"{head.name}_loss"] == pytest.approx(loss, rel=1e-4)


def test_training_learns_from_what_is_there(preprocess):
    fitted = model()
    train = mm.data.train_batches(read(frame()), preprocess, batch_size=8, cache="memory", verbose=False)
    history = fitted.fit(train, epochs=25, verbose=0).history
    assert history["kind_accuracy"][-1] > 0.9 and history["size_mae"][-1] < 1.0


def test_what_heads_learn_and_the_majority_leave_them_out():
    raw = read(
        frame(), [mm.heads.classification("kind", ["x", "y"], class_weights="balanced"), mm.heads.regression("size")]
    )
    kind, size = mm.heads.adapt(raw.heads, raw)
    table, there = frame(), known()
    assert size.mean == pytest.approx((np.mean(table["size"][there["size"]].astype(float)),))
    share = np.mean(table["kind"][there["kind"]] == "y")
    assert kind.class_weights["y"] == pytest.approx(0.5 / share)
    assert mm.evaluate.majority_baseline(HEADS, raw)["kind"][1] == pytest.approx(share)
    assert raw.missing_labels == {"kind": 8, "size": 8}


def test_mixed_labels_are_missing_where_one_of_them_is():
    photo = mm.Image("photo", size=4)
    ready = {"photo": np.zeros((2, 4, 4, 3), "uint8")}
    mixed = mm.augment.mix([photo], [KIND], mixup=1.0)(ready, {"kind": np.array([0, -1], "int32")}, (0, 1))[1]["kind"]
    assert not np.asarray(KIND.labelled(mixed)).any()


@pytest.mark.parametrize(
    ("table", "heads", "message"),
    [
        (
            {"kind": ["x", None], "size": [None, ""]},
            HEADS,
            r"Every row needs a label for at least one head.*Received: 1 row\(s\) without any: 1\. Fill",
        ),
        ({"kind": ["x", ""]}, [KIND], "Head 'kind': every example needs a label. Received: '', row 1 has no label"),
        (
            {"kind": ["x", None], "size": [1, 2]},
            [mm.heads.classification("kind", ["x", "y"], required=True), SIZE],
            "Head 'kind': every example needs a label. Received: nan, row 1",
        ),
        ({"kind": ["x", None], "size": [1, "big"]}, HEADS, "Head 'size': a label must be 1 finite number.*in row 1"),
    ],
)
def test_rows_without_a_label_are_refused(table, heads, message):
    with pytest.raises(ValueError, match=message):
        read(pd.DataFrame({"a": [1.0, 2.0], **table}), heads)


def test_balancing_needs_all_labels(preprocess):
    with pytest.raises(ValueError, match=r"Received: 8 row\(s\) without one for head 'kind'"):
        mm.data.train_batches(read(frame()), preprocess, batch_size=4, balance="kind")


def test_a_head_must_be_known(preprocess):
    stream = tf.data.Dataset.from_tensor_slices({"a": [1.0, 2.0]})
    with pytest.raises(ValueError, match="Training needs heads. Received: heads=None"):
        mm.data.train_batches(stream, preprocess, batch_size=1)
