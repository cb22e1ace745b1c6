import dataclasses
import re

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mmkeras import heads


def test_single_label_encode_and_decode():
    head = heads.classification("mood", classes=["good", "bad", 3])
    assert head.encode(["bad", "good", 3]).tolist() == [1, 0, 2]
    answers = head.decode(tf.constant([[0.1, 0.7, 0.2]]))
    assert list(answers) == ["mood", "mood_scores", "mood_classes"]
    assert answers["mood"].numpy().tolist() == [b"bad"]
    assert answers["mood_classes"].numpy().tolist() == [[b"good", b"bad", b"3"]]


def test_multi_label_encode_and_decode():
    head = heads.classification("tags", classes=["a", "b", "c"], multi_label=True)
    assert head.encode(["a|c", "", ["b"]]).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert list(head.decode(tf.constant([[0.1, 0.7, 0.2]]))) == ["tags_scores", "tags_classes"]
    empty = ["", None, float("nan"), np.nan, pd.NA, [], [None, ""], " | "]
    assert head.encode(empty).tolist() == [[0, 0, 0]] * len(empty)
    numbers = heads.classification("tags", classes=[1, 2], multi_label=True)
    assert numbers.encode([1, 2.0, {1, 2}, (2,), np.array([1.0])]).tolist() == [[1, 0], [0, 1], [1, 1], [0, 1], [1, 0]]


def test_names_are_compared_without_spaces_and_whole_floats_as_integers():
    head = heads.classification("mood", classes=[" good", 0], class_weights={"good ": 1, 0.0: 2})
    assert head.classes == ("good", "0")
    assert head.encode(["good ", 0.0, np.float32(0), b"0"]).tolist() == [0, 1, 1, 1]
    np.testing.assert_allclose(head.sample_weights(tf.constant([0, 1])), [1, 2])


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["caf\u00e9", "tea"], ["cafe\u0301", "caf\u00e9"]),
        (["cafe\u0301", "tea"], ["caf\u00e9", "cafe\u0301"]),
        ([1, 2], ["1.0", "1.00", 1.0, 1, "1"]),
        (["1.0", "2.0"], [1, 1.0, "1", "1.0"]),
        ([True, False], ["true", "TRUE", "True", True, np.bool_(True)]),
        (["true", "false"], ["True", True]),
        (["1.0", "1", "true", "True"], ["1.0"]),  # the exact spelling takes precedence
    ],
)
@pytest.mark.parametrize("several", [False, True])
def test_a_class_in_another_spelling(classes, labels, several):
    head = heads.classification("kind", classes, multi_label=several)
    found = head.encode(labels)
    assert (found.argmax(-1) if several else found).tolist() == [0] * len(labels)


@pytest.mark.parametrize(
    ("classes", "label", "message"),
    [
        (["1", "1.0"], "1.00", "It could be any of ['1', '1.0']"),
        (["true", "True"], "TRUE", "It could be any of ['true', 'True']"),
        (["01", "02"], "1", "Clean the column"),
        ([1, 0], True, "Clean the column"),
        (["Yes", "No"], "yes", "Did you mean 'Yes'?"),
    ],
)
def test_a_spelling_that_is_not_understood(classes, label, message):
    with pytest.raises(ValueError, match=rf"Head 'kind': .*Received: .* in row 0. .*{re.escape(message)}"):
        heads.classification("kind", classes).encode([label])


def test_regression_takes_text():
    assert heads.regression("p", size=2).encode(["1|2.5", [3, "4"]]).tolist() == [[1, 2.5], [3, 4]]
    assert heads.regression("p").encode(["1e3"]).tolist() == [[1000]]


def test_balanced_class_weights_are_learned():
    raw = tf.data.Dataset.from_tensor_slices({"mood": [0, 0, 0, 1]})
    (head,) = heads.adapt([heads.classification("mood", ["x", "y"], class_weights="balanced")], raw)
    assert head.class_weights == pytest.approx({"x": 4 / 6, "y": 2})
    np.testing.assert_allclose(head.sample_weights(tf.constant([0, 1])), [4 / 6, 2], rtol=1e-6)
    tags = heads.classification("t", ["x", "y"], multi_label=True, class_weights={"y": 3, "x": 1})
    np.testing.assert_allclose(tags.sample_weights(tf.constant([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])), [2, 3, 1])


def test_what_is_learned_from_labels_is_weighted():
    """An example of weight 2 is like two examples, one of weight 0 like none."""
    weights, labels = np.array([2, 1, 0, 1]), {"mood": [0, 0, 0, 1], "price": [[1.0], [2.0], [90.0], [4.0]]}
    again = {name: np.repeat(values, weights, axis=0) for name, values in labels.items()}
    weighted = labels | {"sample_weight": weights.astype("float32")}
    made = [heads.classification("mood", ["x", "y"], class_weights="balanced"), heads.regression("price")]
    mood, price = heads.adapt(made, tf.data.Dataset.from_tensor_slices(weighted))
    plain = heads.adapt(made, tf.data.Dataset.from_tensor_slices(again))
    assert mood.class_weights == pytest.approx(plain[0].class_weights) == {"x": 4 / 6, "y": 2}
    assert (price.mean, price.std) == (pytest.approx(plain[1].mean), pytest.approx(plain[1].std))
    tags = dataclasses.replace(made[0], multi_label=True)
    found = tags.adapted(np.array([[1, 0], [1, 1], [0, 1]], "float32"), np.array([2, 1, 1], "float32"))
    assert found.class_weights == pytest.approx({"x": 4 / 6, "y": 1})
    with pytest.raises(
        ValueError, match="'mood' needs examples with a weight above 0. Received: 4 labels, all of weight 0"
    ):
        heads.adapt(made[:1], tf.data.Dataset.from_tensor_slices(weighted | {"sample_weight": np.zeros(4)}))


def test_smoothed_loss_equals_the_one_hot_one():
    head = heads.classification("mood", ["x", "y", "z"], label_smoothing=0.2)
    labels, scores = np.array([0, 2]), np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")
    target = np.eye(3)[labels] * 0.8 + 0.2 / 3
    expected = -(target * np.log(scores)).sum(1).mean()
    assert float(head.loss()(labels, scores)) == pytest.approx(expected, rel=1e-5)
    again = keras.losses.deserialize(keras.losses.serialize(head.loss()))
    assert float(again(labels, scores)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_accuracy_take_numbers_and_distributions(smoothing):
    head = heads.classification("mood", ["x", "y", "z"], label_smoothing=smoothing)
    labels, scores = np.array([0, 2, 2], "int32"), np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0, 0, 1]], "float32")
    assert float(head.loss()(labels, scores)) == pytest.approx(float(head.loss()(np.eye(3)[labels], scores)), rel=1e-4)
    mixed = np.array([[0.6, 0.4, 0], [0, 0.3, 0.7], [0, 0, 1]], "float32")
    target = mixed * (1 - smoothing) + smoothing / 3
    expected = -(target * np.log(np.maximum(scores, 1e-7))).sum(1).mean()
    assert float(head.loss()(mixed, scores)) == pytest.approx(expected, rel=1e-4)
    (metric,) = head.metrics()
    assert [float(metric(kind, scores)) for kind in (labels, mixed)] == pytest.approx([2 / 3, 2 / 3])
    again = type(metric).from_config(metric.get_config())
    assert float(again(mixed[:2], scores[:2])) == 0.5


def test_plain_labels_train_as_with_keras_own_loss():
    head = heads.classification("mood", ["x", "y", "z"])
    labels, scores = np.array([0, 2, 1]), np.random.default_rng(0).dirichlet([1, 1, 1], 3).astype("float32")
    assert float(head.loss()(labels, scores)) == float(keras.losses.SparseCategoricalCrossentropy()(labels, scores))


def test_mixed_labels_of_several_classes():
    head = heads.classification("t", ["x", "y"], multi_label=True, class_weights={"x": 1, "y": 3})
    (metric,) = head.metrics()
    assert float(metric(np.array([[0.7, 0.2]]), np.array([[0.9, 0.6]]))) == 0.5
    weights = head.sample_weights(tf.constant([[0.2, 0.0], [0.1, 0.3], [0.0, 0.0]]))
    np.testing.assert_allclose(weights, [1, (0.1 + 0.9) / 0.4, 1], rtol=1e-6)
    one = heads.classification("m", ["x", "y"], class_weights={"x": 1, "y": 3})
    np.testing.assert_allclose(one.sample_weights(tf.constant([[0.25, 0.75], [1.0, 0.0]])), [2.5, 1])


def test_regression_trains_on_standardised_values_and_answers_in_the_unit():
    raw = tf.data.Dataset.from_tensor_slices({"price": [[100.0], [300.0]]})
    (head,) = heads.adapt([heads.regression("price")], raw)
    assert (head.mean, head.std) == ((200.0,), (100.0,))
    x = keras.Input((1,))
    model = keras.Model(x, {"price": head.output(x)})
    model.set_weights([np.array([[2.0]]), np.array([1.0])])
    assert model(np.array([[3.0]]))["price"].numpy().tolist() == [[(2 * 3 + 1) * 100 + 200]]
    assert float(head.loss()([[100.0]], [[150.0]])) == pytest.approx(0.25)
    huber = heads.regression("price", mean=0, std=10, loss_function="huber").loss()
    assert float(huber([[0.0]], [[30.0]])) == pytest.approx(3 - 0.5)


def test_a_constant_target_does_not_divide_by_zero():
    assert heads.regression("x").adapted(np.ones((5, 1))).std == (1.0,)


@pytest.mark.parametrize("n", [1, 2])
def test_metric_names_begin_with_the_head(n):
    used = [heads.classification("mood", ["x", "y"]), heads.regression("price", mean=0, std=1)][:n]
    x = keras.Input((2,))
    model = keras.Model(x, {head.name: head.output(x) for head in used})
    model.compile("sgd", **heads.compile_for(used))
    labels = {"mood": np.zeros(4, "int32"), "price": np.zeros((4, 1))}
    history = model.fit(np.ones((4, 2)), {head.name: labels[head.name] for head in used}, verbose=0).history
    assert {"mood_accuracy", "price_mae"} & set(history) == {"mood_accuracy", "price_mae"} - (
        {"price_mae"} if n == 1 else set()
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: heads.classification("m", ["x"]), "two or more classes"),
        (lambda: heads.classification("m", ["x", "x"]), "each once"),
        (lambda: heads.classification("m", ["x", "y"], class_weights={"x": 1}), "must name every class once"),
        (lambda: heads.classification("m", ["x", "y"], class_weights="even"), "'balanced' or a dict"),
        (
            lambda: heads.classification("m", ["cat", "dog"]).encode(["cat", "dgo"]),
            "'dgo' in row 1. Did you mean 'dog'",
        ),
        (
            lambda: heads.classification("m", ["x", "y"], class_weights="balanced").sample_weights(np.array([0])),
            "not learned yet.*heads.adapt",
        ),
        (lambda: heads.regression("p").loss(), "has not learned the mean and standard deviation.*heads.adapt"),
        (lambda: heads.regression("p").encode([1.0, "many"]), "1 finite number.*'many' in row 1"),
        (lambda: heads.regression("p").encode([float("nan")]), "finite"),
        (lambda: heads.regression("p", std=0.0), "std of head 'p' must be positive"),
        (lambda: heads.regression("p", std=float("nan")), "std of head 'p' must be positive"),
        (lambda: heads.regression("p", mean=float("inf")), "mean of head 'p' must be finite"),
        (lambda: heads.regression("p", size=2.5), "size of 'p' must be a whole number. Received: size=2.5"),
        (
            lambda: heads.regression("p", dropout=1),
            "dropout of 'p' must be at least 0 and below 1. Received: dropout=1",
        ),
        (
            lambda: heads.classification("m", ["x", "y"], label_smoothing=-0.1),
            "label_smoothing of 'm' must be at least",
        ),
        (
            lambda: heads.regression("p").adapted(np.float32(1.7e9) + np.zeros((5, 1))),
            "Head 'p': labels must differ by more than float32 can resolve.*Subtract an offset first",
        ),
        (lambda: heads.regression("p").encode([10**400]), "1 finite number.* in row 0"),
        (lambda: heads.regression("p", loss_function="l1"), "'mse' or 'huber'"),
        (lambda: heads.regression("p").encode([1.0, "2|3"], ["r", "s"]), "'2|3' in row s".replace("|", "[|]")),
        (lambda: heads.classification("m", ["x", "y"]).encode(["z"], ["r7"]), "'z' in row r7"),
        (lambda: heads.classification("m", ["x", ""]), "two or more classes"),
        (lambda: heads.classification("a/b", ["x", "y"]), "Python identifier.*'a/b'"),
        (lambda: heads.regression("price_mask"), "does not end in '_mask'"),
        (
            lambda: heads.adapt([heads.regression("price")], tf.data.Dataset.from_tensors({"prise": [1.0]})),
            r"labels of head 'price'. Received: \['prise'\]. Did you mean 'prise'",
        ),
        (lambda: heads.compile_for([]), "at least one head"),
        (lambda: heads.compile_for([heads.regression("p"), heads.regression("p")]), "unique names"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        make()


def test_a_single_head_is_no_list():
    with pytest.raises(TypeError, match=r"heads must be a list. Received: Regression.*write \[it\]"):
        heads.compile_for(heads.regression("p"))
