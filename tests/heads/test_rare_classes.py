"""Focal loss and the weights of labels that hold, against their equations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import heads

AB, ABC = ["a", "b"], ["a", "b", "c"]
SCORES = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")


def again(loss):
    return keras.losses.deserialize(keras.losses.serialize(loss))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_focal_loss_of_one_class(smoothing):
    loss = heads.classification("m", ABC, focal=2.0, label_smoothing=smoothing).loss()
    labels = np.array([0, 2])
    target = np.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    expected = -(target * (1 - SCORES) ** 2 * np.log(SCORES)).sum(1).mean()
    for each in (loss, again(loss)):
        assert float(each(labels, SCORES)) == pytest.approx(expected, rel=1e-5)
        assert float(each(np.eye(3)[labels], SCORES)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("focal", [0.0, 1.5])
def test_loss_of_several_labels(focal):
    weights = {"a": 1.0, "b": 5.0, "c": 0.5}
    head = heads.classification("m", ABC, multi_label=True, focal=focal, positive_weights=weights)
    labels = np.array([[1.0, 1.0, 0.0], [0.0, 0.3, 1.0]], "float32")
    holds = [1.0, 5.0, 0.5] * labels * (1 - SCORES) ** focal * np.log(SCORES)
    expected = -np.mean(holds + (1 - labels) * SCORES**focal * np.log(1 - SCORES))
    assert float(head.loss()(labels, SCORES)) == pytest.approx(expected, rel=1e-5)
    assert float(again(head.loss())(labels, SCORES)) == pytest.approx(expected, rel=1e-5)


def test_several_labels_without_weights_train_as_with_keras_own_loss():
    labels, scores = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 1.0], [0.6, 0.2]], "float32")
    own = heads.classification("m", AB, multi_label=True, label_smoothing=0.2).loss()
    assert float(own(labels, scores)) == pytest.approx(
        float(keras.losses.BinaryCrossentropy(label_smoothing=0.2)(labels, scores)), rel=1e-5
    )


def test_balanced_weights_are_negatives_by_positives():
    raw = tf.data.Dataset.from_tensor_slices({"m": [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]})
    head = heads.classification("m", AB, multi_label=True, positive_weights="balanced")
    with pytest.raises(ValueError, match=r"positive_weights='balanced'.*heads.adapt\(heads, raw\) before compile_for"):
        head.loss()
    (head,) = heads.adapt([head], raw)
    assert head.positive_weights == pytest.approx({"a": 1 / 3, "b": 3}) and head.class_weights is None
    assert head.loss().positive_weights == pytest.approx([1 / 3, 3])


def test_a_model_s_file_keeps_them_and_answers_stay_the_same(tmp_path):
    spec = mm.Table("row", numeric=["a"])
    plain = heads.classification("m", AB, multi_label=True)
    head = heads.classification("m", AB, multi_label=True, focal=2.0, positive_weights={"a": 1, "b": 2})
    model = mm.fusion_model([spec], {"row": mm.branches.table.mlp(spec, units=(2,))}, mm.fusion.MLP(2), [head])
    model.save(tmp_path / "model.keras")
    assert mm.load_model(tmp_path / "model.keras").heads == [head]
    assert head.describe() == plain.describe() and head.output_key == plain.output_key
    both = [each.decode(SCORES[:, :2])["m_scores"] for each in (head, plain)]
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"focal": -1}, "focal of 'm' must be 0 or more. Received: focal=-1"),
        ({"positive_weights": {"a": 1, "b": 2}}, "positive_weights of 'm' are for multi_label=True"),
        (
            {"multi_label": True, "positive_weights": {"a": 1}},
            "positive_weights of head 'm' must name every class once",
        ),
        ({"multi_label": True, "positive_weights": "even"}, "positive_weights of 'm' must be 'balanced' or a dict"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        heads.classification("m", AB, **arguments)
