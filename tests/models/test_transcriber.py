"""Voice and lips in step: learned, scored, served, on a device and as a stream."""

import io
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import edge
from mmkeras.data.generate.files import image, wav
from mmkeras.evaluate.text_scores import errors

WORDS = ["bin", "red", "now"]
VOICE = mm.Audio("voice", seconds=0.8, sample_rate=4000, optional=True)
LIPS = mm.Video("lips", frames=20, size=(8, 8), channels=1, optional=True)
HEAD = mm.heads.transcription("said", max_tokens=6)


def clip(numbers):
    """A WAV file and a ZIP of frames, 40 ms each: a word is a tone and a grey, 4 frames long, 1 apart."""
    word = np.concatenate([[-1], *([number] * 4 + [-1] for number in numbers)])
    tone = 0.5 * np.sin(np.repeat(0.6 * (word + 1), 160) * np.arange(160 * len(word)))
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for i, each in enumerate(word):
            archive.writestr(f"{i}.png", image(np.full((8, 8, 1), 70 * (each + 1), "uint8"), "png"))
    return wav(tone, 4000), memory.getvalue(), " ".join(WORDS[i] for i in numbers)


def table(n, seed=0):
    rng = np.random.default_rng(seed)
    rows = [clip(rng.integers(0, 3, rng.integers(1, 4))) for _ in range(n)]
    return pd.DataFrame(rows, columns=["voice", "lips", "said"])


def build(heads, **arguments):
    keras.utils.set_random_seed(0)
    hear = mm.branches.audio.crnn(VOICE, filters=(8,), pool_sizes=((4, 4),), num_layers=0, mel_bands=16)
    see = mm.branches.video.frames(LIPS, filters=(4,), units=8, num_layers=0)
    return mm.transcriber([VOICE, LIPS], {"voice": hear, "lips": see}, heads, units=16, **arguments)


@pytest.fixture(scope="module")
def learned():
    raw = mm.data.from_dataframe(table(96), [VOICE, LIPS], [HEAD])
    heads, preprocess = mm.heads.adapt([HEAD], raw), mm.preprocessor([VOICE, LIPS])
    train = mm.data.train_batches(raw, preprocess, heads, batch_size=16, cache="memory", verbose=False)
    model = build(heads, modality_dropout=0.2)
    model.compile(keras.optimizers.Adam(0.02), **mm.heads.compile_for(heads))
    model.fit(train, epochs=14, verbose=0)
    return raw, preprocess, model


def test_time_steps_are_aligned_where_lengths_differ_by_one(learned):
    model = learned[2]
    assert {branch.output_shape[0][1] for branch in model.layers if branch.name.endswith("_branch")} == {19, 20}
    assert model.output["said"].shape == (None, 20, 5)
    short = mm.branches.audio.crnn(VOICE, filters=(4,), pool_sizes=((8, 4),), num_layers=0, mel_bands=16)
    see = mm.branches.video.frames(LIPS, filters=(4,), units=8, num_layers=0)
    with pytest.raises(ValueError, match=r"may differ by slack=1. Received: \[9, 20\] tokens. Pool time so that"):
        mm.transcriber([VOICE, LIPS], {"voice": short, "lips": see}, model.heads)


def test_report_has_error_rates_of_every_subset_and_baselines(learned, tmp_path):
    raw, preprocess, model = learned
    other = mm.data.from_dataframe(table(40, seed=1), [VOICE, LIPS], [HEAD])
    batches = mm.data.eval_batches(other, preprocess, model.heads)
    found = mm.evaluate.report(model, batches, out_dir=tmp_path, train=raw, specs=model.specs)
    rows = {name: row["said"]["wer"] for name, row in found["models"].items()}
    assert rows["model"] < 0.1 and max(rows["model: voice"], rows["model: lips"]) < 0.3
    assert rows["majority"] > 0.5
    low, high = found["models"]["majority"]["said"]["wer_interval"]
    assert low < rows["majority"] < high
    texts = pd.read_csv(tmp_path / "said_texts.csv", keep_default_na=False)
    assert texts["wrong_words"].sum() / texts["words"].sum() == pytest.approx(rows["model"])
    assert texts["expected"].tolist() == other.frame["said"].tolist()
    assert "received" in (tmp_path / "said_worst.txt").read_text()
    summary = mm.evaluate.summary(found)
    assert summary["wer"] == rows["model"] and summary["baselines"] == {"majority": rows["majority"]}
    assert mm.evaluate.table(found).columns[1].header == "said\nword error rate"
    logs = model.evaluate(batches, verbose=0, return_dict=True)
    assert logs["said_wer"] == pytest.approx(rows["model"], abs=1e-6)
    assert mm.train.direction(model, "val_said_wer") == "min"


@pytest.mark.parametrize("beams", [1, 4])
def test_exports_give_the_text(learned, one_process, tmp_path, beams):
    raw, preprocess, model = learned
    (head,) = [type(HEAD).from_config(each.get_config() | {"beams": beams}) for each in model.heads]
    mm.export.saved_model(preprocess, model, tmp_path / "said" / "1", heads=[head], samples=raw)
    served = tf.saved_model.load(str(tmp_path / "said" / "1")).signatures["serving_default"]
    some = raw.frame[:5]
    answers = served(voice=tf.constant(some["voice"].tolist()), lips=tf.constant(some["lips"].tolist()))
    assert set(answers) == {"said", "said_score"}
    texts = [text.decode() for text in answers["said"].numpy()]
    assert sum(a == b for a, b in zip(texts, some["said"], strict=True)) >= 4
    path, version = tmp_path / "said.tflite", tmp_path / "said" / "1"
    found = mm.export.litert(
        preprocess, model, path, heads=[head], samples=raw, n_samples=24, saved_model=version, verbose=False
    )
    assert found["agreement"]["litert"]["said"] == 1 and found["metrics"]["litert"]["said"]["wer"] < 0.1
    device = edge.Model(path)
    for i, row in enumerate(some.itertuples()):
        answer = device({"voice": row.voice, "lips": row.lips})
        assert answer["said"] == texts[i]
        assert answer["said_score"] == pytest.approx(float(answers["said_score"][i]), abs=1e-3)


@pytest.mark.parametrize("quantize", ["float16", "dynamic"])
def test_smaller_files_make_no_more_errors_and_write_down_a_stream(learned, one_process, tmp_path, quantize):
    raw, preprocess, model = learned
    found = mm.export.litert(
        preprocess, model, tmp_path / "said.tflite", quantize=quantize, samples=raw, n_samples=96, verbose=False
    )
    rates = {who: scores["said"]["wer"] for who, scores in found["metrics"].items()}
    assert rates["litert"] <= rates["keras"] + 0.005 and rates["keras"] < 0.1
    device = edge.Model(tmp_path / "said.tflite")
    numbers = np.random.default_rng(5).integers(0, 3, 12)
    voice, _, said = clip(numbers)
    samples = tf.audio.decode_wav(voice)[0].numpy()[:, 0]
    stream = edge.Stream(device)
    so_far = [stream(part) for part in np.array_split(samples, 37)]
    text = stream.finish()
    assert all(text.startswith(part) for part in so_far) and len(so_far[-1]) > len(said) / 2
    assert errors(text.split(), said.split()) <= 3
    assert edge.Stream(device)((samples[:1000] * 32767).astype("int16")) == ""
    with pytest.raises(ValueError, match=r"array \(N,\) of float32.*Received: shape \(5, 2\)"):
        stream(np.zeros((5, 2), "float32"))
    with pytest.raises(ValueError, match=r"a sound of the model. Received: 'noise'. Sounds: \['voice'\]"):
        edge.Stream(device, name="noise")
    with pytest.raises(ValueError, match="step_seconds must be above 0 and at most the window's 0.8"):
        edge.Stream(device, step_seconds=2)


def test_sample_answers_are_shown_and_logged(learned, tmp_path, capsys):
    raw, preprocess, model = learned
    batches = mm.data.eval_batches(raw, preprocess, model.heads)
    show = mm.train.SampleAnswers(batches, count=2, path=tmp_path / "samples.csv")
    show.set_model(model)
    show.set_params({"epochs": 2})
    show.on_train_begin()
    show.on_epoch_end(0)
    show.on_epoch_end(1)
    rows = pd.read_csv(tmp_path / "samples.csv")
    assert rows["epoch"].tolist() == [1, 1, 2, 2] and rows["expected"].tolist() == [*raw.frame["said"][:2]] * 2
    assert raw.frame["said"][0] in capsys.readouterr().out
    plain = keras.Model(model.input, model.output)
    other = mm.train.SampleAnswers(batches, [mm.heads.classification("said", classes=["a", "b"])])
    other.set_model(plain)
    with pytest.raises(ValueError, match=r"SampleAnswers needs a head whose answers are texts. .* \['classif"):
        other.on_train_begin()


def test_error_rates_of_the_answers_are_those_of_the_report(learned):
    _, preprocess, model = learned
    frame = table(20, seed=2)
    frame.loc[:5, "said"] = "bin red now"
    part = mm.data.from_dataframe(frame, [VOICE, LIPS], [HEAD])
    batches = mm.data.eval_batches(part, preprocess, model.heads, batch_size=8)
    hidden = mm.evaluate.mask_modalities(batches, model.specs, ["voice"])
    scores, logs = mm.train.AnswerScores(hidden), {}
    scores.set_model(model)
    scores.on_train_begin()
    scores.on_epoch_end(0, logs)
    found = mm.evaluate.report(model, hidden)["models"]["model"]["said"]
    assert 0 < found["wer"] < 1
    assert logs == {f"val_said_answer_{key}": pytest.approx(found[key], abs=1e-6) for key in ("wer", "cer", "exact")}


def test_a_transcription_is_explained_from_both_modalities(learned):
    raw, preprocess, model = learned
    example = next(iter(raw))
    found = mm.evaluate.explain(model, preprocess, example)
    head, text = model.heads[0], model.heads[0].coding.text
    ready = preprocess({name: tf.constant(np.asarray(example[name])[None]) for name in preprocess.input})
    logits = model(ready)["said"]
    ids = np.asarray(head.ids(logits)[0])
    assert found.target == text(ids[0]) and found.measure == "log-probability" and found.gap <= 0.01
    assert found.score == pytest.approx(-float(head.loss()(ids, logits)), abs=1e-4)
    assert set(found.shares) == {"voice", "lips"} and found.parts["voice"].values.shape[1] == 16  # mel bands
    other = mm.evaluate.explain(model, preprocess, example, target="now now now")
    assert other.target == "now now now" and other.score < found.score and other.gap <= 0.01
    with pytest.raises(ValueError, match="token= is for a head that generates its text token by token"):
        mm.evaluate.explain(model, preprocess, example, token=0)


def test_the_whole_report_of_a_transcription(learned, tmp_path):
    raw, preprocess, model = learned
    part = raw.subset(range(12))
    chosen = ["scores", "robustness", "slices", "errors", "explanations", "privacy"]
    found = mm.evaluate.full_report(model, preprocess, part, out_dir=tmp_path, train=part, sections=chosen, samples=9,
                                    cache="memory", strengths=(0, 1), explained=1, verbose=False)  # fmt: skip
    assert found["failed"] == {} and found["sections"]["explanations"]["said"][0]["gap"] <= 0.01
