import csv
import io
import itertools
import wave
from collections import Counter, defaultdict

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.data import generate
from mmkeras.data.generate._scenes import COLOURS, TEMPLATES

INPUTS = {"question": ("question",), "photo": ("caption",), "voice": ("tone",)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return generate.scenes(tmp_path_factory.mktemp("scenes"), n=576, size=32)


@pytest.fixture(scope="module")
def rows(path):
    return read_rows(path)


def read_rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def read_wav(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def all_bytes(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("names", [names for size in (1, 2, 3) for names in itertools.combinations(INPUTS, size)])
def test_ceilings_hold_in_the_rows_written(rows, names):
    answers = defaultdict(Counter)
    for row in rows:
        # Of the wording, only the word asked for may matter; the next test checks that wordings are drawn
        # independently.
        seen = row | {"question": "colour" in row["question"]}
        answers[tuple(seen[name] for key in names for name in INPUTS[key])][row["answer"]] += 1
    best = sum(max(counts.values()) for counts in answers.values()) / len(rows)
    # 576 rows contain each case once, so the count is exact.
    assert best == generate.ceilings()["+".join(names)]


def test_ceilings_need_all_three():
    ceilings = generate.ceilings()
    assert ceilings.pop("question+photo+voice") == 1
    assert ceilings == {"question": 0.25, "photo": 0.25, "voice": 0.125,
                        "question+photo": 0.5, "question+voice": 0.25, "photo+voice": 0.5}  # fmt: skip


def test_wording_and_table_say_nothing_about_the_answer(rows):
    for key in ("question", "hour", "room"):
        table = defaultdict(Counter)
        for row in rows:
            if "colour" in row["question"]:
                table[row[key]][row["answer"]] += 1
        best = sum(max(counts.values()) for counts in table.values()) / (len(rows) / 2)
        assert best < 0.25 + 0.2, key  # 24 hours in 288 rows: chance alone reaches 0.40


def test_questions_are_short_and_of_many_wordings(rows):
    questions = {row["question"] for row in rows}
    assert len(questions) == 2 * len(TEMPLATES)
    assert max(len(question.split()) for question in questions) <= 16


def test_picture_shows_what_the_caption_says(path, rows):
    for row in rows[:40:2]:
        pixels = tf.io.decode_image((path.parent / row["photo"]).read_bytes()).numpy().astype(int)
        assert pixels.shape == (32, 32, 3)
        _, left, _, _, _, _, right, _ = row["caption"].split()
        for half, colour in ((pixels[:, :16], left), (pixels[:, 16:], right)):
            middle = half.reshape(-1, 3)[np.argsort(np.ptp(half, axis=-1).ravel())[-20:]].mean(0)
            near = min(COLOURS, key=lambda name: np.abs(middle - COLOURS[name]).sum())
            assert near == colour, row
        painted = (np.ptp(pixels, axis=-1) > 70).mean()
        assert painted == pytest.approx(float(row["area"]), abs=0.035)


def test_half_of_the_pictures_are_jpeg(path, rows):
    heads = [(path.parent / row["photo"]).read_bytes()[:4] for row in rows]
    assert heads.count(b"\x89PNG") == heads.count(b"\xff\xd8\xff\xe0") == len(rows) / 2


def test_sound_rises_or_falls_and_is_as_loud_as_said(path, rows):
    for row in rows[:40:2]:
        sound = read_wav(path.parent / row["voice"])
        assert sound.shape == (4000,)
        early, late = (np.abs(np.fft.rfft(part)).argmax() for part in (sound[400:1200], sound[-1200:-400]))
        assert ("rising" if late > early else "falling") == row["tone"]
        assert 10 * np.log10(np.mean(sound**2)) == pytest.approx(float(row["loudness"]), abs=0.1)


def test_answer_follows_from_caption_tone_and_question(rows):
    for row in rows:
        _, *left, _, _, _, right_colour, right_shape = row["caption"].split()
        colour, shape = (right_colour, right_shape) if row["tone"] == "rising" else left
        assert row["answer"] == (colour if "colour" in row["question"] else shape)
        assert set(row["objects"].split("|")) == {left[1], right_shape}


def test_questions_of_a_scene_share_its_files(rows):
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert (first["scene"], first["photo"], first["voice"]) == (second["scene"], second["photo"], second["voice"])
        assert ("colour" in first["question"]) != ("colour" in second["question"])
    assert len({row["photo"] for row in rows}) == len(rows) / 2


def test_seed_decides_every_byte(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate.scenes(tmp_path / name, n=6, seed=seed, size=16)
    assert all_bytes(tmp_path / "a") == all_bytes(tmp_path / "b")
    one, other = all_bytes(tmp_path / "a"), all_bytes(tmp_path / "c")
    assert one.keys() == other.keys() and all(one[name] != other[name] for name in one)


def test_missing_empties_that_share_and_changes_nothing_else(tmp_path):
    full, holed = (
        read_rows(generate.scenes(tmp_path / str(share), n=201, size=8, missing=share)) for share in (0.0, 0.5)
    )
    assert len(full) == len(holed) == 201
    gone = [(row["photo"] == "", row["voice"] == "") for row in holed]
    assert 70 < sum(map(any, gone)) < 130 and not any(map(all, gone))
    assert 30 < sum(photo for photo, _ in gone) < 70
    for row, whole in zip(holed, full, strict=True):
        assert row == whole | {name: "" for name in ("photo", "voice") if not row[name]}


@pytest.mark.parametrize("wrong", [{"n": 0}, {"questions_per_scene": 0}, {"missing": 1.5}])
def test_wrong_arguments_are_named(tmp_path, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"{name} .*Received: {value}"):
        generate.scenes(tmp_path, **wrong)


@pytest.mark.parametrize(
    "name", ["clothing_reviews", "digits", "easy_vqa", "emoji", "medical_vqa", "sound_events", "spoken_digits"]
)
def test_lookalikes_are_written_the_same_again(name, tmp_path):
    first, second = (getattr(generate.lookalikes, name)(tmp_path / part, seed=3) for part in "ab")
    tables = (".csv", ".tsv", ".json", ".jsonl")
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.suffix in tables)
    assert files or name == "clothing_reviews"
    assert [(first / file).read_bytes() for file in files] == [(second / file).read_bytes() for file in files]
