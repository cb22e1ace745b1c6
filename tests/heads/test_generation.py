"""Texts of a generation: labels to targets, what is refused or cut, loss; and a model from table to device."""

import types
import warnings
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import edge, heads
from mmkeras.heads.token_loss import TokenAccuracy, TokenCrossentropy
from mmkeras.train.baseline import constant_loss

COLOURS, SHAPES = ["red", "green", "blue"], ["dot", "box"]
HEAD = heads.generation("caption", vocabulary=[" a", " b"], max_tokens=3)


def test_targets_are_the_units_and_the_end():
    labels = HEAD.encode(["a b", "b", "c a b"])
    assert HEAD.targets(labels).tolist() == [[2, 3, 4, 0], [3, 4, 0, 0], [1, 2, 3, 4]]
    assert HEAD.texts(HEAD.targets(labels)) == ["a b", "b", "\N{REPLACEMENT CHARACTER} a b"]
    assert HEAD.targets(HEAD.blank[None]).tolist() == [[-1] * 4]
    assert HEAD.constant(np.array([[2, 4], [3, 4], [3, 4]])).tolist() == [3, 4]
    assert HEAD.constant(np.array([[2, 4], [3, 4], [3, 4]]), np.array([5, 1, 1])).tolist() == [2, 4]


@pytest.mark.parametrize("units", ["words", "characters", "wordpiece"])
def test_vocabulary_is_learned_and_texts_come_back(units):
    texts = ["Ab abab", "x", "abb ab"]
    head = heads.generation("caption", units=units, max_tokens=12, lowercase=True)
    head = head.adapted(head.encode(texts))
    targets = head.targets(head.encode(texts))
    assert targets.shape == (3, 13) and targets.max() == head.end
    ids = np.where(targets == head.end, 0, targets)
    assert [text.decode() for text in head.decode(tf.constant(ids))["caption"].numpy()] == [t.lower() for t in texts]
    assert heads.Generation.from_config(head.get_config()) == head


@pytest.mark.parametrize("units", ["words", "characters"])
def test_long_texts_are_refused_with_their_rows_or_cut_and_counted(units):
    texts = ["a b", "a b c d", "b a c a b"] if units == "words" else ["abc", "abcd", "abcde"]
    head = heads.generation("caption", units=units, max_tokens=3)
    with pytest.raises(
        ValueError, match=rf"max_tokens=3 {units}. Received: 2 of 3 .*up to 5: row\(s\) r1, r2. .*'cut'"
    ):
        head.encode(texts, ["r0", "r1", "r2"])
    cut = heads.generation("caption", units=units, max_tokens=3, too_long="cut")
    with pytest.warns(UserWarning, match="2 of 3 are longer, up to 5: .*cut off"):
        labels = cut.encode(texts)
    cut = cut.adapted(labels)
    expected = ["a b", "a b c", "b a c"] if units == "words" else ["abc"] * 3
    assert cut.texts(cut.targets(labels)) == expected
    with pytest.raises(
        ValueError, match=r"max_characters=4 characters. Received: 1 of 1 .*Give a larger max_characters"
    ):
        heads.generation("caption", max_characters=4).encode(["abcde"])


def test_long_word_pieces_are_found_when_they_are_made():
    labels = heads.generation("caption", units="wordpiece", max_tokens=2).encode(["a b", "c a b"])
    pieces = [" a", " b", " c"]
    refusing, cutting = (
        heads.generation("caption", units="wordpiece", max_tokens=2, vocabulary=pieces, too_long=how)
        for how in ("refuse", "cut")
    )
    with pytest.raises(ValueError, match=r"max_tokens=2 wordpiece. Received: 1 of 2 are longer, up to 3: row\(s\) 1"):
        refusing.targets(labels)
    assert cutting.texts(cutting.targets(labels)) == ["a b", "c a"]


def test_texts_of_nothing_are_refused_and_of_one_letter_taken():
    with pytest.raises(
        ValueError, match=r"every example needs a text. Received: none in 2 row\(s\), 1, 2. Fill them in"
    ):
        HEAD.encode(["a", " ", None])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert HEAD.targets(HEAD.encode(["a"])).tolist() == [[2, 4, 0, 0]]
    with pytest.raises(ValueError, match="does not know its vocabulary yet.*vocabulary=None. Call heads = mm.heads.ad"):
        heads.generation("caption").targets(np.zeros((1, 256), "int32"))
    assert constant_loss(HEAD, HEAD.encode(["a"])) is None
    with pytest.raises(ValueError, match="Texts cannot be averaged. Received: labels of head 'caption'"):
        HEAD.averageable(np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": "letters"}, r"units of 'caption' must be one of \['words', 'characters', 'wordpiece'\]"),
        ({"too_long": "drop"}, "too_long of 'caption' must be one of"),
        ({"max_tokens": 0}, "max_tokens of 'caption' must be positive"),
        ({"label_smoothing": 1.0}, "label_smoothing of 'caption' must be at least 0 and below 1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        heads.generation("caption", **arguments)


def test_loss_and_metrics_count_real_tokens_only():
    rng, labels = np.random.default_rng(0), np.array([[2, 4, 0], [3, 3, 4], [-1, -1, -1]])
    logits = rng.normal(size=(3, 3, 5)).astype("float32")
    shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    each = -np.take_along_axis(shares, np.maximum(labels, 0)[..., None], -1)[..., 0]
    smooth = 0.9 * each - 0.1 * shares.mean(-1)
    for smoothing, values in ((0.0, each), (0.1, smooth)):
        expected = [values[0, :2].mean(), values[1].mean(), 0]
        np.testing.assert_allclose(TokenCrossentropy(smoothing, reduction=None)(labels, logits), expected, rtol=1e-5)
    right = np.eye(5)[np.maximum(labels, 0)]
    right[1, 2] = np.eye(5)[2]
    for whole, value in ((False, (1 + 2 / 3) / 2), (True, 0.5)):
        metric = TokenAccuracy(whole)
        metric.update_state(labels, right, np.array([1, 1, 0]))
        assert float(metric.result()) == pytest.approx(value)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that says what a short text says in another order, where there is one, and a number."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    pairs = [(COLOURS[i], SHAPES[j]) for i, j in zip(rng.integers(0, 3, 320), rng.integers(0, 2, 320), strict=True)]
    frame = pd.DataFrame(
        [{"words": f"{a} {b}", "x": float(a == "red"), "caption": f"one {b} of {a}"} for a, b in pairs]
    )
    specs = [mm.Text("words", max_tokens=4, optional=True), mm.Table("row", numeric=["x"], optional=True)]
    head = heads.generation("caption", max_tokens=5, dim=32, num_heads=2, num_layers=1, dropout=0.0)
    raw = mm.data.from_dataframe(frame, specs, [head])
    found = heads.adapt([head], raw)
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    words, row = specs = preprocess.specs
    branches = {
        "words": mm.branches.text.transformer(words, dim=16, num_heads=2, num_layers=0, dropout=0.0, unknown_rate=0.0),
        "row": mm.branches.table.mlp(row, units=(8,)),
    }
    model = mm.encoder_decoder(specs, branches, found, dim=32)
    model.compile(keras.optimizers.Adam(0.01), **heads.compile_for(found))
    train = mm.data.train_batches(raw, preprocess, found, batch_size=32, cache="memory", verbose=False)
    history = model.fit(train, epochs=8, verbose=0).history
    test = mm.data.eval_batches(raw, preprocess, found)
    return types.SimpleNamespace(model=model, raw=raw, preprocess=preprocess, test=test, history=history, heads=found)


def test_plain_fit_teaches_it_and_predict_answers(trained):
    assert {"loss", "caption_token_accuracy", "caption_exact_match"} <= set(trained.history)
    assert trained.history["caption_exact_match"][-1] > 0.95
    found = trained.model.evaluate(trained.test, verbose=0, return_dict=True)
    answers = trained.model.predict(trained.test, verbose=0)["caption"]
    labels = np.concatenate([y["caption"] for _, y in trained.test])
    right = np.mean([a == b for a, b in zip(*map(trained.heads[0].texts, (answers, labels)), strict=True)])
    assert found["caption_exact_match"] == pytest.approx(right) and right > 0.99
    with pytest.raises(ValueError, match=r"Missing: \['words_mask', 'row'"):
        trained.model({"words": np.zeros((1, 4), "int32")})


def test_what_is_absent_is_not_read(trained):
    ready = next(iter(trained.test))[0]
    hidden = {name: tf.zeros_like(value) if name.endswith("_mask") else value for name, value in ready.items()}
    other = {name: value if name.endswith("_mask") else tf.abs(value - 1) for name, value in hidden.items()}
    answers = [trained.model(each)["caption"].numpy() for each in (hidden, other)]
    np.testing.assert_array_equal(*answers)
    assert len(np.unique(answers[0], axis=0)) == 1


def test_a_keras_file_keeps_answers_teacher_and_heads(trained, tmp_path):
    assert trained.model.taught() is trained.model.taught()
    trained.model.save(tmp_path / "caption.keras")
    assert b"taught" not in zipfile.ZipFile(tmp_path / "caption.keras").read("model.weights.h5")
    again = mm.load_model(tmp_path / "caption.keras")
    ready = next(iter(trained.test))[0]
    np.testing.assert_array_equal(again(ready)["caption"], trained.model(ready)["caption"])
    assert again.heads == trained.heads
    assert again.evaluate(trained.test, verbose=0) == pytest.approx(trained.model.evaluate(trained.test, verbose=0))
    assert len(again.weights) == len(trained.model.weights) and again.fit(trained.test, epochs=1, verbose=0)


def test_answers_are_shown_and_scored_while_training(trained, tmp_path):
    labels = np.concatenate([y["caption"] for _, y in trained.test])
    labels[0], labels[1, :2] = -1, labels[1, 1::-1]  # a missing one, and one whose first two words are swapped
    inputs = {name: np.concatenate([x[name] for x, _ in trained.test]) for name in trained.model.input}
    batches = [(inputs, {"caption": labels})]
    shown = mm.train.SampleAnswers(batches, count=3, path=tmp_path / "samples.csv", verbose=False)
    scores, logs = mm.train.AnswerScores(batches), {}
    for callback in (shown, scores):
        callback.set_model(trained.model)
        callback.on_train_begin()
        callback.on_epoch_end(0, logs)
    rows = pd.read_csv(tmp_path / "samples.csv", keep_default_na=False)
    assert rows["expected"].tolist() == ["", *trained.heads[0].texts(labels[1:3])]
    assert rows["received"].tolist() == trained.raw.frame["caption"][:3].tolist()
    assert logs["val_caption_answer_wer"] == pytest.approx(2 / (319 * 4))
    assert logs["val_caption_answer_exact"] == pytest.approx(318 / 319)


def test_report_scores_texts_and_the_most_frequent_one(trained, tmp_path):
    found = mm.evaluate.report(trained.model, trained.test, out_dir=tmp_path, train=trained.raw)
    scores = found["models"]["model"]["caption"]
    assert scores["exact"] > 0.99 and scores["unknown"] == 0
    assert found["models"]["majority"]["caption"]["exact"] < 0.3
    assert (
        0 <= scores["wer"] < 0.01
        and "caption_worst.txt" in found["files"]
        and len(pd.read_csv(tmp_path / "caption_texts.csv")) == 320
    )
    assert mm.evaluate.summary(found)["exact"] == scores["exact"]


def test_bleu_and_chrf_have_intervals():
    pytest.importorskip("sacrebleu")
    from mmkeras.evaluate.generation import text_scores

    texts = ["a red dot is here now", "one box of green things stays", "the third of all the rows"]
    same, other = text_scores(texts, texts), text_scores([text[:-4] for text in texts], texts)
    assert same["bleu"] == pytest.approx(100) and same["chrf"] == pytest.approx(100)
    for key in ("bleu", "chrf"):
        low, high = other[f"{key}_interval"]
        assert 0 <= low < high <= 100 and 0 < other[key] < 100


def test_server_and_device_write_the_same_text(trained, one_process, tmp_path):
    report = mm.export.saved_model(trained.preprocess, trained.model, tmp_path / "m" / "1", samples=trained.raw)
    assert report["largest_difference"] == 0
    served = tf.saved_model.load(str(tmp_path / "m" / "1")).signatures["serving_default"]
    answers = served(words=tf.constant(["red dot", "", "blue box"]), x=tf.constant([1, np.nan, 0]))
    assert answers["caption"].numpy()[[0, 2]].tolist() == [b"one dot of red", b"one box of blue"]
    drawn = {"decoding": mm.decoding.Sampling, "seed": 1, "temperature": 0.5}
    for strategy in ({}, {"decoding": mm.decoding.Beam, "beams": 2}, drawn):
        model = mm.decoding.decode_with(trained.model, **strategy) if strategy else trained.model
        path = tmp_path / f"m{len(strategy)}.tflite"
        found = mm.export.litert(trained.preprocess, model, path, samples=trained.raw, verbose=False)
        assert found["max_difference"] == {"caption": 0} and "metrics" in found
        assert edge.Model(path)({"words": "green box", "x": 0.0}) == {"caption": "one box of green"}


@pytest.mark.parametrize("quantize", ["float16", "dynamic"])
def test_smaller_files_make_no_more_errors(trained, one_process, tmp_path, quantize):
    path = tmp_path / "m.tflite"
    found = mm.export.litert(trained.preprocess, trained.model, path, quantize=quantize, samples=trained.raw,
                             n_samples=320, verbose=False)  # fmt: skip
    assert found["metrics"]["litert"]["caption"]["examples"] == 320
    right = {who: scores["caption"]["exact"] for who, scores in found["metrics"].items()}
    assert right["litert"] >= right["keras"] - 0.005 and right["keras"] > 0.99
    assert edge.Model(path)({"words": "green box", "x": 0.0}) == {"caption": "one box of green"}


def test_it_learns_on_two_replicas():
    with mm.distribute.strategy("mirrored").scope():
        specs = [mm.Vector("x", size=3)]
        branches = {"x": mm.branches.vector.linear(specs[0], dim=8)}
        model = mm.encoder_decoder(specs, branches, [HEAD], dim=8)
        model.compile("adam", **heads.compile_for([HEAD]))
    ready = {name: np.ones((8, *tensor.shape[1:]), tensor.dtype) for name, tensor in model.input.items()}
    labels = {"caption": HEAD.targets(HEAD.encode(["a b"] * 8))}
    batches = tf.data.Dataset.from_tensors((ready, labels)).repeat(2)
    assert np.isfinite(model.fit(batches, epochs=1, verbose=0, validation_data=batches).history["val_loss"]).all()


def test_a_text_and_its_tokens_are_explained(trained):
    model, preprocess = trained.model, trained.preprocess
    example = next(iter(trained.raw))
    found = mm.evaluate.explain(model, preprocess, example)
    ready = {name: np.asarray(value)[None] for name, value in example.items() if name in preprocess.input}
    ready = preprocess({name: tf.constant(value) for name, value in ready.items()})
    ids = trained.heads[0].targets(example["caption"].numpy()[None])
    logits = model.taught()(dict(ready) | {"caption.label": tf.constant(ids)})["caption"]
    each = np.take_along_axis(tf.nn.log_softmax(logits).numpy(), ids[..., None], 2)[0, :, 0][ids[0] > 0]
    assert found.target == trained.heads[0].texts(ids)[0] and found.measure == "log-probability"
    assert found.score == pytest.approx(each.sum(), abs=1e-4) and found.baseline < found.score - 3
    parts = [mm.evaluate.explain(model, preprocess, example, token=i) for i in range(len(each))]
    assert [part.score for part in parts] == pytest.approx(each.tolist(), abs=1e-4)
    assert [part.target for part in parts] == [*found.target.split(), "the end"]
    for part in (found, *parts):
        assert part.gap <= 0.01 and set(part.shares) == {"words", "row"}
    colour = found.parts["words"].values[0]  # "red dot" -> "one dot of red": the colour is said last
    assert parts[3].parts["words"].values[0] == pytest.approx(colour, rel=0.5) and colour > 1
    other = mm.evaluate.explain(model, preprocess, example, target="one of one")
    assert other.target == "one of one" and other.score < found.score
    with pytest.raises(ValueError, match=r"token= must be the position of a token of .*from 0 to 4. Received: 5"):
        mm.evaluate.explain(model, preprocess, example, token=5)
    with pytest.raises(ValueError, match="the vocabulary of head 'caption' can spell. Received: 'one cat'"):
        mm.evaluate.explain(model, preprocess, example, target="one cat")
    with pytest.raises(ValueError, match="target= must be a text for head 'caption'. Received: 3"):
        mm.evaluate.explain(model, preprocess, example, target=3)


def test_the_whole_report_of_a_generation(trained, tmp_path):
    raw = trained.raw.subset(range(24))
    found = mm.evaluate.full_report(trained.model, trained.preprocess, raw, out_dir=tmp_path, train=raw, valid=raw,
                                    strengths=(0, 1), samples=20, cache="memory", explained=1,
                                    verbose=False)  # fmt: skip
    assert found["failed"] == {} and found["sections"]["explanations"]["caption"][0]["gap"] <= 0.01
    clean = found["sections"]["robustness"]["caption"]["clean"]
    assert clean == found["models"]["model"]["caption"]["exact"] == 1.0
    assert found["sections"]["privacy"]["caption"]["train_loss"] < 0.1
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "of red" in page
        and "Beside this page: caption_texts.csv, caption_worst.txt." in page
        and page.count("<img") == page.count("png;base64,iVBOR")  # what a PNG begins with
    )
