"""A report is JSON, has its pictures, and sets a model beside simpler ones."""

import io
import json

import keras
import numpy as np
import pytest
import rich.console
import tensorflow as tf

from mmkeras import evaluate, heads

HEADS = [
    heads.classification("mood", classes=["negative", "neutral", "positive"]),
    heads.classification("tags", classes=["red", "never seen"], multi_label=True),
    heads.regression("price", mean=0.0, std=1.0),
]
N = 37


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    x = {"photo": rng.normal(size=(N, 4)).astype("float32"), "review": rng.integers(0, 9, (N, 5)).astype("int32")}
    tags = np.stack([x["photo"][:, 0] > 0, np.zeros(N)], -1).astype("float32")
    y = {"mood": np.argmax(x["photo"][:, :3], -1).astype("int32"), "tags": tags, "price": 2 * x["photo"][:, 3:]}
    # The order changes in each pass, but labels and answers still belong together.
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(N).batch(8)


@pytest.fixture(scope="module")
def model():
    photo, review = keras.Input((4,), name="photo"), keras.Input((5,), dtype="int32", name="review")
    unused = keras.ops.sum(keras.ops.cast(review, "float32"), axis=-1, keepdims=True) * 0.0
    outputs = {
        "mood": keras.ops.softmax(4 * photo[:, :3] + unused),
        "tags": keras.ops.sigmoid(9 * photo[:, :2]),
        "price": 2 * photo[:, 3:] + 1.0,
    }
    return keras.Model({"photo": photo, "review": review}, outputs)


@pytest.fixture(scope="module")
def blind():
    review = keras.Input((5,), dtype="int32", name="review")
    size = {"mood": 3, "tags": 2, "price": 1}
    zeros = keras.ops.sum(keras.ops.cast(review, "float32"), axis=-1, keepdims=True) * 0.0
    return keras.Model({"review": review}, {name: zeros + 1 / n * keras.ops.ones((1, n)) for name, n in size.items()})


@pytest.fixture(scope="module")
def report(model, blind, batches, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    return evaluate.report(
        model, batches, HEADS, out_dir=folder, train=batches, baselines={"review only": blind}
    ), folder


def test_rows_and_numbers(report):
    rows = report[0]["models"]
    assert list(rows) == ["model", "review only", "majority"]
    assert rows["model"]["mood"]["accuracy"] == 1.0 and rows["model"]["price"]["mae"] == pytest.approx(1.0)
    support = [row["support"] for row in rows["model"]["mood"]["per_class"].values()]
    assert rows["majority"]["mood"]["accuracy"] == max(support) / N
    assert rows["majority"]["price"]["r2"] == pytest.approx(0.0, abs=1e-6)
    assert rows["majority"]["mood"]["roc_auc_macro"] == 0.5


def test_json_is_valid_and_equal(report):
    found, folder = report

    def refuse(constant):
        raise ValueError(constant)

    assert json.loads((folder / "report.json").read_text(), parse_constant=refuse) == found
    assert found["models"]["model"]["tags"]["per_class"]["never seen"]["roc_auc"] is None


def test_pictures_show_something(report):
    found, folder = report
    kinds = ["mood_confusion", "mood_roc", "mood_pr", "tags_roc", "tags_pr", "price_scatter"]
    assert found["files"] == [f"{kind}.png" for kind in kinds]
    for file in found["files"]:
        pixels = tf.io.decode_png((folder / file).read_bytes()).numpy()
        assert min(pixels.shape[:2]) > 350 and pixels[..., :3].std() > 10, file


def test_many_classes_are_drawn(tmp_path):
    from mmkeras.evaluate import classification_curves as curves

    head = heads.classification("bird", classes=[f"a long name of a kind of bird, number {i}" for i in range(21)])
    labels = np.arange(63) % 21
    outputs = np.random.default_rng(0).dirichlet(np.ones(21), 63)
    files = curves.draw(head, labels, outputs, evaluate.scores(head, labels, outputs), tmp_path)
    assert len(files) == 3 and all((tmp_path / file).stat().st_size > 10_000 for file in files)


def test_table_prints_every_row(report):
    text = io.StringIO()
    rich.console.Console(file=text, width=200).print(evaluate.table(report[0]))
    for word in ("review only", "majority", "mood", "MAE", "1.000 (0.906-1.000)"):
        assert word in text.getvalue()


def test_table_shows_figures_of_others_beside_ours(report):
    text = io.StringIO()
    shown = evaluate.table(report[0], published={"Smith 2020": {"mood": {"accuracy": 0.725}}})
    rich.console.Console(file=text, width=200).print(shown)
    (line,) = [line for line in text.getvalue().splitlines() if "published: Smith 2020" in line]
    assert line.count("0.725") == 1 and line.count(" - ") == len(shown.columns) - 2


def test_predict_keeps_pairs_together(model, batches):
    labels, outputs = evaluate.predict(model, batches)
    assert sorted(labels) == ["mood", "price", "tags"] and outputs["mood"].shape == (N, 3)
    np.testing.assert_allclose(outputs["price"], labels["price"] + 1, atol=1e-5)


@pytest.mark.parametrize("given", ["raw", "batches", "table", "labels"])
def test_majority_takes_every_form_of_training_data(given):
    labels = {"mood": np.array([2, 2, 0], "int32"), "price": np.array([[1.0], [2.0], [6.0]], "float32")}
    train = tf.data.Dataset.from_tensor_slices({"photo": np.zeros((3, 1)), **labels})
    if given == "table":
        train.table = labels
    if given == "batches":
        train = train.map(lambda row: ({"photo": row["photo"]}, {name: row[name] for name in labels})).batch(2)
    found = evaluate.majority_baseline([HEADS[0], HEADS[2]], labels if given == "labels" else train)
    np.testing.assert_allclose(found["mood"], [1 / 3, 0, 2 / 3])
    np.testing.assert_allclose(found["price"], [3.0])


def test_errors_name_what_is_missing(model, batches):
    wrong = heads.classification("moood", classes=["a", "b"])
    with pytest.raises(ValueError, match=r"one label 'moood'.*Did you mean 'mood'"):
        evaluate.report(model, batches, [wrong])
    named = batches.map(lambda x, y: (x, {"moood": y["mood"]}))
    with pytest.raises(ValueError, match=r"one output 'moood'.*Did you mean 'mood'"):
        evaluate.report(model, named, [wrong])
    with pytest.raises(ValueError, match=r"one input 'review'"):
        evaluate.report(model, batches.map(lambda x, y: ({"photo": x["photo"]}, y)), HEADS)
    with pytest.raises(ValueError, match=r"pairs of dicts"):
        evaluate.report(model, batches.map(lambda x, y: x), HEADS)
    with pytest.raises(ValueError, match=r"at least one batch"):
        evaluate.report(model, batches.take(0), HEADS)
    with pytest.raises(ValueError, match=r"no other row.*'majority'"):
        evaluate.report(model, batches, HEADS, baselines={"majority": model})


def test_weights_of_batches_are_those_of_the_scores(model, blind, batches, tmp_path):
    weighted = batches.map(lambda x, y: (x, y, dict.fromkeys(y, tf.cast(x["photo"][:, 0] > 0, tf.float32))))
    found = evaluate.report(model, weighted, HEADS, out_dir=tmp_path, train=batches, baselines={"blind": blind})
    half = batches.unbatch().filter(lambda x, y: x["photo"][0] > 0).batch(8)
    expected = evaluate.report(model, half, HEADS, train=batches, baselines={"blind": blind})
    for row, scores in expected["models"].items():
        for head in scores:
            assert found["models"][row][head]["weighted"] is True
            for key in set(scores[head]) - {"per_class", "kind"}:
                pair = found["models"][row][head][key], scores[head][key]
                np.testing.assert_allclose(
                    *(np.array(each, float) for each in pair), rtol=1e-6, err_msg=f"{row} {head} {key}"
                )
    assert "weighted by the sample weights" in evaluate.table(found).caption
    assert len(found["files"]) == 4 and evaluate.table(expected).caption is None
    once = batches.map(lambda x, y: (x, y, x["photo"][:, 1]))  # one weight for all heads
    labels, _, weights = evaluate.predict(model, once, with_weights=True)
    assert sorted(weights) == sorted(labels) and weights["price"].shape == (N,)
    assert evaluate.predict(model, batches, with_weights=True)[2] is None
    with pytest.raises(ValueError, match="Either all batches have sample weights, or none. Received: 5 of 10 without"):
        evaluate.predict(model, [*batches, *once])


def test_majority_counts_the_weights_of_raw_examples():
    labels = {"mood": [2, 2, 0], "price": [[1.0], [2.0], [6.0]], "sample_weight": [1.0, 0.0, 3.0]}
    raw = tf.data.Dataset.from_tensor_slices(labels)
    for train in (raw, {name: np.array(values) for name, values in labels.items()}):
        found = evaluate.majority_baseline([HEADS[0], HEADS[2]], train)
        np.testing.assert_allclose(found["mood"], [3 / 4, 0, 1 / 4])
        np.testing.assert_allclose(found["price"], [19 / 4])
