"""Fusions whose joint tokens a decoder reads."""

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras import edge, fusion

SPECS = [mm.Text("words", max_tokens=4, vocabulary=["red", "blue", "dot"], optional=True),
         mm.Vector("x", size=3, optional=True)]  # fmt: skip
HEADS = [mm.heads.generation("caption", vocabulary=[" a", " b"], max_tokens=3, dim=8, num_heads=2, num_layers=1),
         mm.heads.classification("mood", classes=["good", "bad"])]  # fmt: skip
JOINT = {
    "FiLM": lambda: fusion.FiLM(8),
    "Attention": lambda: fusion.Attention(8, num_heads=2, num_queries=3, num_layers=1),
    "CrossAttention": lambda: fusion.CrossAttention(8, num_heads=2),
    "CoAttention": lambda: fusion.CoAttention(8, num_heads=2, num_layers=1),
    "SingleStream": lambda: fusion.SingleStream(8, num_heads=2, num_layers=1),
    "Bottleneck": lambda: fusion.Bottleneck(8, num_heads=2, num_bottlenecks=2, num_layers=2),
    "Perceiver": lambda: fusion.Perceiver(8, num_heads=2, num_latents=3),
}
TOKENS = {name: 3 if name in ("Attention", "Perceiver") else 4 if name == "CrossAttention" else 5 for name in JOINT}


def branches():
    words, x = SPECS
    return {"words": mm.branches.text.transformer(words, dim=8, num_heads=2, num_layers=0, unknown_rate=0.0),
            "x": mm.branches.vector.linear(x, dim=6)}  # fmt: skip


def build(layer, heads=HEADS):
    keras.utils.set_random_seed(0)
    return mm.encoder_decoder(SPECS, branches(), heads, fusion=layer)


def feed():
    """Rows: both, a part of the words and the vector, words alone, the vector alone, neither."""
    rng, there = np.random.default_rng(0), np.array([4, 2, 3, 0, 0])
    return {"words": rng.integers(2, 5, (5, 4)).astype("int32"), "words_mask": np.arange(4) < there[:, None],
            "x": rng.normal(size=(5, 3)).astype("float32"),
            "x_mask": np.array([[1], [1], [0], [1], [0]], bool)}  # fmt: skip


@pytest.mark.parametrize("name", JOINT)
def test_joint_tokens_are_read_and_what_is_masked_is_not(name):
    model, x = build(JOINT[name]()), feed()
    labels = {"caption.label": np.tile([2, 3, 4, 0], (5, 1)).astype("int32")}
    logits = np.asarray(model(x | labels)["caption"])
    hidden = {"words": np.where(x["words_mask"], x["words"], 1).astype("int32"),
              "x": np.where(x["x_mask"], x["x"], 9).astype("float32")}  # fmt: skip
    np.testing.assert_allclose(model(x | hidden | labels)["caption"], logits, atol=1e-5)
    assert np.isfinite(logits).all()
    other = np.asarray(model(x | labels | {"x": x["x"][:, ::-1] * 2})["caption"])
    assert (np.abs(other - logits).max(axis=(1, 2)) > 1e-5).tolist() == [True, True, False, True, False]
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(x | labels)["caption"], logits, atol=1e-6)


@pytest.mark.parametrize("name", JOINT)
def test_the_vector_is_that_of_the_fusion_and_masks_belong_to_the_tokens(name):
    rng, layer = np.random.default_rng(0), JOINT[name]()
    tokens = [rng.normal(size=(5, n, 4)).astype("float32") for n in (4, 1)]
    masks = [feed()["words_mask"], feed()["x_mask"]]
    vector, joint, theirs = layer(tokens, masks, joint=True)
    np.testing.assert_allclose(vector, layer(tokens, masks), atol=1e-6)
    assert sum(each.shape[1] for each in joint) == TOKENS[name]
    assert [each.shape[:2] for each in joint] == [each.shape for each in theirs]
    seen = np.concatenate(theirs, axis=1).sum(1).tolist()
    learned = 4 if name == "CrossAttention" else 0  # a learned token in place of the first modality
    expected = {3: [3, 3, 3, 3, 0], 4: [4, 2, 3, learned, learned], 5: [5, 3, 3, 1, 0]}[TOKENS[name]]
    assert seen == expected


def test_every_fusion_of_tokens_has_joint_tokens():
    rows = [line.split("|") for line in fusion.__doc__.splitlines() if "| every token |" in line]
    assert {row[1].strip(" `") for row in rows} == set(JOINT)


def test_joint_tokens_of_any_other_fusion():
    vectors = [mm.Vector("x", size=3), mm.Vector("y", size=3)]
    own = {spec.name: mm.branches.vector.linear(spec, dim=6) for spec in vectors}
    aligned = mm.encoder_decoder(vectors, own, HEADS, fusion=fusion.Aligned(8))
    assert aligned.taught().output["caption"].shape == (None, 4, 5) and aligned.output["mood"].shape == (None, 2)
    with pytest.raises(
        ValueError, match=r"gives joint tokens .*Received: \(None, 128\) float32 from concatenate.*SingleStream\(\), or"
    ):
        build(fusion.Concatenate())
    with pytest.raises(TypeError, match=r"fusion must be a layer of mm.fusion.*Create one: mm.fusion.FiLM\(\)"):
        build(fusion.FiLM)


def test_server_and_device_answer_alike(one_process, tmp_path):
    model = build(JOINT["Perceiver"](), HEADS[:1])
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:  # of a size that rounding makes no other token the best one
        weight.assign(rng.normal(size=weight.shape))
    frame = pd.DataFrame({"words": ["red dot", "", "blue", "dot dot"], "x": [[1.0, 0, 2], [0, 1, 1], None, [3, 1, 0]]})
    raw = mm.data.from_dataframe(frame.assign(caption="a"), SPECS, HEADS[:1])
    preprocess = mm.preprocessor(SPECS)
    found = mm.export.litert(preprocess, model, tmp_path / "m.tflite", samples=raw, verbose=False)
    assert found["max_difference"] == {"caption": 0}
    answers = model.predict(mm.data.eval_batches(raw, preprocess, HEADS[:1]), verbose=0)["caption"]
    device = edge.Model(tmp_path / "m.tflite")
    texts = [device({"words": row.words, "x": row.x})["caption"] for row in frame.itertuples()]
    assert texts == HEADS[0].texts(answers) and len(set(texts)) > 1
