import json

import keras
import numpy as np
import pytest
from sklearn import metrics

import mmkeras as mm
from mmkeras.evaluate import _ranks


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture
def pairs():
    """Embeddings of 60 pairs that are near, but not always nearest."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6))
    return {"photo": unit(x), "caption": unit(x + rng.normal(size=x.shape))}


def test_scores_are_their_definitions(pairs):
    labels = np.arange(60) // 3
    found = mm.evaluate.retrieval(pairs, labels)["models"]["model"]["photo -> caption"]
    scores, right = pairs["photo"] @ pairs["caption"].T, labels[:, None] == labels
    order = np.argsort(-scores, axis=1)
    first = np.array([1 + np.flatnonzero(right[i, order[i]])[0] for i in range(60)])
    assert found["R@5"] == pytest.approx(np.mean(first <= 5)) and found["median_rank"] == np.sort(first)[29]
    precision = [metrics.average_precision_score(right[i], scores[i]) for i in range(60)]
    assert found["mAP"] == pytest.approx(np.mean(precision))
    assert (found["queries"], found["items"]) == (60, 60)
    for key in ("R@1", "R@5", "R@10", "mAP"):
        low, high = found["interval"][key]
        assert 0 <= low <= found[key] <= high <= 1 and high - low > 0.02


def test_chance_is_what_random_orders_have():
    rng, labels = np.random.default_rng(0), np.arange(40) // 2
    every = [_ranks.ranks(rng.normal(size=(40, 30)), rng.normal(size=(40, 30)), labels, labels) for _ in range(100)]
    expected = _ranks.by_chance(every[0], 40)
    first = np.concatenate([each["first"] for each in every])
    for k in (1, 5, 10):
        assert expected[f"R@{k}"] == pytest.approx(np.mean(first <= k), abs=0.02)
    assert expected["mAP"] == pytest.approx(np.mean([each["precision"] for each in every]), abs=0.01)
    assert expected["median_rank"] == pytest.approx(np.median(first), abs=1)


def test_ties_gain_nothing_and_absent_ones_take_no_part(pairs):
    constant = {name: np.ones_like(x) for name, x in pairs.items()}
    found = mm.evaluate.retrieval(constant)["models"]["model"]["photo -> caption"]
    assert found["R@10"] == 0 and found["median_rank"] == 60
    pairs["caption"][:10] = 0
    found = mm.evaluate.retrieval(pairs)["models"]["model"]
    assert (found["photo -> caption"]["queries"], found["photo -> caption"]["items"]) == (50, 50)
    assert (found["caption -> photo"]["queries"], found["caption -> photo"]["items"]) == (50, 60)


def test_modalities_may_have_rows_of_their_own(pairs):
    several = {"photo": pairs["photo"], "caption": np.concatenate([pairs["caption"]] * 2)}
    labels = {"photo": np.arange(60), "caption": np.tile(np.arange(60), 2)}
    found = mm.evaluate.retrieval(several, labels)["models"]["model"]
    assert (found["photo -> caption"]["items"], found["caption -> photo"]["queries"]) == (120, 120)


def test_a_linear_model_finds_what_is_linear():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)).astype("float32")
    specs = [mm.Vector("left", size=5), mm.Vector("right", size=7)]
    right = (x @ rng.normal(size=(5, 7)) + 0.1 * rng.normal(size=(300, 7))).astype("float32")
    there = np.ones((300, 1), bool)
    batch = {"left": x, "left_mask": there, "right": right, "right_mask": there}
    first, last = ({name: each[part] for name, each in batch.items()} for part in (slice(200), slice(200, 300)))
    baseline = mm.evaluate.linear_embeddings(specs, [first], [last], dim=4)
    found = mm.evaluate.retrieval(baseline)["models"]
    assert found["model"]["left -> right"]["R@1"] > 0.7 > 10 * found["random"]["left -> right"]["R@1"]


def test_linear_features_of_every_kind(raw, preprocess):
    batches = list(mm.data.eval_batches(raw.subset(range(24)), preprocess, heads=()))
    question, photo, voice, meta = preprocess.specs
    for pair in ([question, photo], [voice, meta]):
        found = mm.evaluate.linear_embeddings(pair, batches, batches, dim=4)
        for spec in pair:
            lengths = np.linalg.norm(found[spec.name], axis=1)
            there = np.concatenate([batch[f"{spec.name}_mask"].numpy().any(1) for batch in batches])
            np.testing.assert_allclose(lengths[there], 1, atol=1e-6)
            assert not lengths[~there].any()


def test_ids_of_a_preset_exceed_what_its_spec_knows():
    rng = np.random.default_rng(0)
    specs = [mm.Text("caption", vocabulary_size=4, max_tokens=3), mm.Vector("photo", size=5)]
    words = rng.integers(0, 5, (40, 3)).astype("int32")
    x = np.stack([(words == i).sum(1) for i in range(5)], axis=1).astype("float32")
    there = np.ones((40, 1), bool)
    batch = {"caption": words + 30_000, "caption_mask": np.ones((40, 3), bool), "photo": x, "photo_mask": there}
    found = mm.evaluate.linear_embeddings(specs, [batch], [batch], dim=4)
    assert np.sum(found["caption"] * found["photo"], axis=1).min() > 0.8


def test_report_and_pictures_are_written(pairs, raw, tmp_path):
    names = {"photo": pairs["photo"][:20], "question": pairs["caption"][:20]}
    part = raw.subset(range(20))
    found = mm.evaluate.retrieval(names, raw=part, out_dir=tmp_path, baselines={"turned": dict(names)})
    assert list(found["models"]) == ["model", "turned", "random"]
    assert json.loads((tmp_path / "retrieval.json").read_text()) == found
    assert found["files"] == ["retrieval_photo_to_question.png", "retrieval_question_to_photo.png"]
    for file in found["files"]:
        pixels = np.asarray(keras.utils.load_img(tmp_path / file))
        assert min(pixels.shape[:2]) > 300 and pixels.std() > 10
    assert mm.evaluate.retrieval_table(found).row_count == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"embeddings": {"photo": p["photo"]}}, r"needs two or more modalities. Received: \['photo'\]"),
        (lambda p: {"embeddings": p | {"photo": p["photo"][:5]}}, r"all have the same rows. Received: {'photo': 5"),
        (lambda p: {"labels": {"photo": np.arange(60)}}, r"a label for each row. Received: \(rows, labels\) .*60, 0"),
        (lambda p: {"embeddings": p | {"photo": p["photo"] * np.nan}}, r"'photo' must be finite \(n, D\)"),
        (lambda p: {"baselines": {"random": p}}, r"Rows need names of their own. Received: \['random'\]"),
        (lambda p: {"embeddings": {k: 0 * v for k, v in p.items()}}, r"must have a right answer.*0 queries, 0 items"),
    ],
)
def test_errors_name_the_remedy(pairs, change, message):
    arguments = {"embeddings": pairs} | change(pairs)
    with pytest.raises(ValueError, match=message):
        mm.evaluate.retrieval(**arguments)
