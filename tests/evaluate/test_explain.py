"""Explanations against what is known by hand, and from raw examples of every modality to a picture."""

import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras import evaluate
from mmkeras.evaluate._explain import explain_ready

HEAD = mm.heads.classification("kind", ["cat", "dog"])


def test_of_a_linear_model_each_number_adds_its_weight_times_its_value():
    spec, head = mm.Vector("v", size=3), mm.heads.regression("y", mean=0.0, std=1.0)
    model = mm.fusion_model([spec], {"v": mm.branches.vector.linear(spec, dim=4, normalise=False)},
                            mm.fusion.WeightedSum(4), [head])  # fmt: skip
    ready = {"v": np.array([[1.0, -2.0, 0.5]], "float32"), "v_mask": np.ones((1, 1), bool)}
    slope = np.array([model(ready | {"v": row[None]})["y"].numpy()[0, 0] for row in np.eye(3, dtype="float32")])
    slope -= model(ready | {"v": np.zeros((1, 3), "float32")})["y"].numpy()[0, 0]
    found = explain_ready(model, ready, steps=4)
    np.testing.assert_allclose(found.parts["v"].values, slope * ready["v"][0], rtol=1e-4, atol=1e-6)
    assert found.gap < 1e-4 and found.target == "0" and found.head == "y"
    model.set_weights([each * np.nan for each in model.get_weights()])
    with pytest.raises(ValueError, match="An explanation needs a finite score. Received: nan for '0' of head 'y'"):
        explain_ready(model, ready)


def test_from_a_raw_example_to_a_picture(raw, preprocess, model, tmp_path):
    example = next(iter(raw))
    found = evaluate.explain(model, preprocess, example, head="answer", target="blue")
    assert found.gap <= 0.01 and found.target == "blue"
    words = mm.data.generate.ANSWERS and preprocess.layers and found.parts["question"].labels
    assert len(words) == len(found.parts["question"].values) and any(word.isalpha() for word in words)
    assert found.parts["photo"].values.shape == (24, 24) and found.parts["meta"].labels == ["hour", "room"]
    assert found.parts["voice"].values.shape == found.parts["voice"].shown.shape  # time and frequency bands
    assert sum(found.shares.values()) == pytest.approx(found.score - found.baseline, abs=0.01)
    heat = {"photo": np.ones((3, 3))}
    assert evaluate.draw_explanation(found, tmp_path / "found.png", heat=heat).stat().st_size > 20_000
    absent = {name: b"" if name in ("photo", "voice") else value for name, value in example.items()}
    assert evaluate.explain(model, preprocess, absent).shares["photo"] == 0.0
    with pytest.raises(ValueError, match="target= must be a class of head 'answer'.*'bleu'. Did you mean 'blue'"):
        evaluate.explain(model, preprocess, example, target="bleu")
    with pytest.raises(
        ValueError, match="head= must name a head of the model. Received: 'anser'. Did you mean 'answer'"
    ):
        evaluate.explain(model, preprocess, example, head="anser")


def test_modalities_that_share_a_branch_are_told_apart():
    left, right = mm.Image("left", size=(8, 8)), mm.Image("right", size=(8, 8))
    branch = mm.branches.image.conv2d(left, filters=(4,))
    model = mm.fusion_model([left, right], {"left": branch, "right": branch}, mm.fusion.Concatenate(8), [HEAD])
    rng = np.random.default_rng(0)
    ready = {"left": rng.integers(0, 255, (1, 8, 8, 3)).astype("uint8"), "right": np.zeros((1, 8, 8, 3), "uint8")}
    found = explain_ready(model, ready)
    assert found.shares["right"] == 0.0 != found.shares["left"] and found.gap <= 0.01  # black is the baseline
    assert evaluate.grad_cam(model, ready, modality="right").shape == (8, 8)


def test_grad_cam_is_where_the_last_convolution_speaks_for_the_class(raw, preprocess, model):
    ready = preprocess(
        {name: np.asarray(value)[None] for name, value in next(iter(raw)).items() if name in preprocess.input}
    )
    for modality, sides in {"photo": 2, "voice": 2}.items():
        heat = evaluate.grad_cam(model, ready, modality=modality)
        assert heat.ndim == sides and (heat >= 0).all()
    sure = type(model).from_config(model.get_config())
    sure.set_weights(model.get_weights())
    layer = sure.get_layer("answer_logits")
    layer.set_weights([1e4 * each for each in layer.get_weights()])
    assert evaluate.grad_cam(sure, ready, modality="photo").any()  # though the probability is 1, and its gradient 0
    with pytest.raises(ValueError, match="Grad-CAM needs a branch with a Conv2D layer. Received: 'meta'"):
        evaluate.grad_cam(model, ready, modality="meta")


def test_attention_sums_to_one_over_what_is_there(raw, preprocess, model):
    ready = preprocess(
        {name: np.asarray(value)[None] for name, value in next(iter(raw)).items() if name in preprocess.input}
    )
    before = model(ready)["answer"].numpy()
    found = evaluate.attention(model, ready)
    assert len(found) == 2
    for weights in found.values():
        np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(model(ready)["answer"], before)
    shares = evaluate.attention_shares(model, ready)
    assert set(shares) == {"question", "photo", "voice", "meta"} and sum(shares.values()) == pytest.approx(1.0)
    plain = mm.fusion_model(
        preprocess.specs[3:], {"meta": mm.branches.table.mlp(preprocess.specs[3])}, mm.fusion.Gated(4), [HEAD]
    )
    assert evaluate.attention(plain, ready) == {}


def test_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        spec = mm.Table("row", numeric=["a", "b"])
        model = mm.fusion_model([spec], {"row": mm.branches.table.mlp(spec, units=(8,))}, mm.fusion.MLP(8), [HEAD])
    finally:
        keras.config.set_dtype_policy("float32")
    ready = {"row": np.array([[1.0, -1.0]], "float32"), "row_mask": np.ones((1, 2), bool)}
    assert np.isfinite(explain_ready(model, ready).parts["row"].values).all()
