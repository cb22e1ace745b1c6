"""Sample weights on their way from a column to `fit`."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm

SPECS = [mm.Text("note"), mm.Table("t", numeric=["age"])]
HEADS = [
    mm.heads.classification("kind", ["a", "b"], class_weights={"a": 1.0, "b": 10.0}),
    mm.heads.regression("price", mean=0, std=1),
]
N = 24
FRAME = pd.DataFrame({"note": [f"word{i % 5}" for i in range(N)], "age": np.arange(N), "kind": list("ab") * (N // 2)})
FRAME["price"] = np.arange(N) / 4
FRAME["sure"] = (np.arange(N) % 4) / 2
WEIGHTS = FRAME.sure.to_numpy("float32")


@pytest.fixture(scope="module")
def raw():
    return mm.data.from_dataframe(FRAME, SPECS, HEADS, weights="sure")


@pytest.fixture(scope="module")
def ready(raw):
    return mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)


def written(raw, folder):
    mm.data.write_tfrecord(raw, SPECS, HEADS, f"{folder}/t-*.tfrecord", shards=2, verbose=False)
    return mm.data.from_tfrecord(f"{folder}/t-*.tfrecord", SPECS, HEADS)


def check(batches, training):
    """Each row's weight is told by its price, and that of a class by its label."""
    seen = []
    for _, y, w in batches:
        own = WEIGHTS[(y["price"].numpy()[:, 0] * 4).round().astype(int)]
        np.testing.assert_allclose(w["price"], own)
        np.testing.assert_allclose(w["kind"], own * (np.where(y["kind"] == 1, 10, 1) if training else 1))
        seen += y["price"].numpy()[:, 0].tolist()
    assert sorted(seen) == FRAME.price.tolist()


@pytest.mark.parametrize("way", ["table", "memory", "folder", "tfrecord", "stream"])
def test_weights_reach_the_batches(raw, ready, way, tmp_path):
    cache = {"memory": "memory", "folder": tmp_path / "cache"}.get(way)
    if way == "tfrecord":
        raw = written(raw, tmp_path)
    if way == "stream":
        stream = tf.data.Dataset.from_tensor_slices(dict(FRAME) | {"kind": np.arange(N) % 2})
        raw = mm.data.from_dataset(stream, SPECS, HEADS, weights="sure")
    for _ in range(2 if way == "folder" else 1):
        check(mm.data.train_batches(raw, ready, HEADS, batch_size=8, cache=cache, verbose=False), training=True)
    check(
        mm.data.eval_batches(raw, ready, HEADS, batch_size=8, cache=cache and f"{cache}", verbose=False), training=False
    )


def test_files_of_tables(tmp_path, raw):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for read, name in ((mm.data.from_csv, "t.csv"), (mm.data.from_jsonl, "t.jsonl")):
        np.testing.assert_array_equal(
            read(tmp_path / name, SPECS, HEADS, weights="sure").table["sample_weight"], WEIGHTS
        )


def test_parts_keep_their_weights(raw, ready):
    first, second = mm.data.split(raw, (0.5, 0.5))
    for part in (first, second, raw.subset([3, 1])):
        np.testing.assert_array_equal(part.table["sample_weight"], part.frame.sure.to_numpy("float32"))
        (_, _, w), *_ = mm.data.eval_batches(part, ready, HEADS)
        np.testing.assert_array_equal(w["price"], part.frame.sure)
    # A plain data set keeps the weights, too.
    assert len(next(iter(mm.data.eval_batches(raw.take(5), ready, HEADS)))) == 3
    assert isinstance(next(iter(mm.data.eval_batches(raw, ready, ()))), dict)


def test_weights_are_part_of_a_cached_data_set(raw, ready, tmp_path):
    make = lambda raw: mm.data.train_batches(raw, ready, HEADS, batch_size=8, cache=tmp_path / "c", verbose=False)  # noqa: E731
    make(raw)
    again = make(mm.data.from_dataframe(FRAME.assign(sure=2.0), SPECS, HEADS, weights="sure"))
    assert next(iter(again))[2]["price"].numpy().tolist() == [2.0] * 8
    assert make(raw).fingerprint != again.fingerprint


def test_fit_and_fewer_inputs(raw, ready):
    age = keras.Input((1,), name="t")
    out = {
        "kind": keras.layers.Dense(2, "softmax", name="kind")(age),
        "price": keras.layers.Dense(1, name="price")(age),
    }
    batches = mm.data.train_batches(raw, ready, HEADS, batch_size=8)
    name = next(key for key in next(iter(batches))[0] if key.startswith("t") and not key.endswith("_mask"))
    assert len(next(iter(mm.data.select_inputs(batches, keras.Model({name: age}, out))))) == 3


def test_mixed_examples_have_mixed_weights():
    photo = mm.Image("photo", size=4)
    ready = {"photo": np.stack([np.zeros((4, 4, 3), "uint8"), np.full((4, 4, 3), 200, "uint8")])}
    labels = {"kind": np.array([0, 1]), "sample_weight": np.array([1.0, 3.0], "float32")}
    _, mixed = mm.augment.mix([photo], HEADS[:1], mixup=1.0)(ready, labels, (0, 1))
    share = mixed["kind"].numpy()[:, 1]
    assert 0 < share[0] < 1
    np.testing.assert_allclose(mixed["sample_weight"], 1 + 2 * share, rtol=1e-6)


@pytest.mark.parametrize(
    ("sure", "message"),
    [
        ([1, -1, np.nan], "finite numbers of 0 or more. Received in column 'sure': -1.0 in row 5, nan in row 6"),
        ([1, np.inf, "x"], "inf in row 5, 'x' in row 6. Fill them in"),
        ([0, 0, 0], "At least one sample weight must be above 0. Received: 3 times 0"),
    ],
)
def test_wrong_weights(sure, message):
    frame = FRAME[:3].assign(sure=pd.Series(sure, index=range(3))).set_index(pd.Index([4, 5, 6]))
    with pytest.raises(ValueError, match=message):
        mm.data.from_dataframe(frame, SPECS, HEADS, weights="sure", on_error="skip")


def test_what_cannot_be_weighted(raw, ready):
    with pytest.raises(ValueError, match="'sur' .for 'sample_weight'. Did you mean 'sure'"):
        mm.data.from_dataframe(FRAME, SPECS, HEADS, weights="sur")
    with pytest.raises(ValueError, match="Received: weights='sure', and an input or a head of that name"):
        mm.data.from_dataframe(FRAME, [mm.Text("sample_weight")], weights="sure", columns={"sample_weight": "note"})
    kind = [mm.heads.classification("kind", ["a", "b"])]
    with pytest.raises(ValueError, match="balance='kind' and examples with weights. Give the heads class_weights"):
        mm.data.train_batches(
            mm.data.from_dataframe(FRAME, SPECS, kind, weights="sure"), ready, kind, batch_size=8, balance="kind"
        )
    with pytest.raises(ValueError, match=r"labels \['price', 'sample_weight'\]\). Received: .*labels \['price'\]"):
        mm.data.train_batches(
            raw, ready, HEADS[1:], batch_size=8, augment=lambda x, y, seed: (x, {"price": y["price"]})
        )
    stream = tf.data.Dataset.from_tensor_slices({"note": ["x"], "price": [1.0], "sure": [-1.0]})
    stream = mm.data.from_dataset(stream, SPECS[:1], HEADS[1:], weights="sure")
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="Sample weights must be finite numbers of 0 or more. Received: -1.000000 in",
    ):
        list(stream)


def test_a_head_may_be_called_like_the_weights(tmp_path):
    spec, head = mm.Text("note"), mm.heads.regression("sample_weight", mean=0, std=1)
    raw = mm.data.from_dataframe(FRAME, [spec], [head], columns={"sample_weight": "sure"})
    mm.data.write_tfrecord(raw, [spec], [head], f"{tmp_path}/t-*.tfrecord", verbose=False)
    again = mm.data.from_tfrecord(f"{tmp_path}/t-*.tfrecord", [spec], [head])
    for each in (raw, again):
        (batch,) = mm.data.eval_batches(each, mm.adapt(mm.preprocessor([spec]), raw, verbose=False), [head])
        assert len(batch) == 2 and batch[1]["sample_weight"].shape == (N, 1)


def test_manifests_without_weights_are_read(raw, tmp_path):
    plain = written(mm.data.from_dataframe(FRAME, SPECS, HEADS), tmp_path)
    assert "sample_weight" not in plain.element_spec
    manifest = json.loads((tmp_path / "t-manifest.json").read_text())
    assert manifest["weighted"] is False
