"""Tiny sets laid out like the real ones of the recipes, learnable at a glance: to run a recipe where the set is not.

Each function writes into a folder that it makes, and returns it; the same seed writes the same files.

>>> import tempfile
>>> sorted(path.name for path in spoken_digits(tempfile.mkdtemp()).iterdir())
['test.tsv', 'test.zip', 'train.tsv', 'train.zip']
"""

import json
import zipfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from mmkeras.data.generate._scenes import ANSWERS, scenes
from mmkeras.data.generate.files import image, wav


def easy_vqa(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """answers.txt, and PART_questions.json and PART_images.zip of train and test: `scenes` without their sounds.

    Without a sound its answers are half a guess.
    """
    folder = _made(folder)
    for part, n in {"train": 200, "test": 40}.items():
        table = pd.read_csv(scenes(folder / part, n=n, seed=seed, size=64))
        with zipfile.ZipFile(folder / f"{part}_images.zip", "w") as pictures:
            for row in table.drop_duplicates("scene").itertuples():
                pictures.write(folder / part / row.photo, f"{row.scene}.png")
        rows = table[["question", "answer", "scene"]].to_numpy().tolist()
        (folder / f"{part}_questions.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "answers.txt").write_text("\n".join(ANSWERS), encoding="utf-8")
    return folder


def medical_vqa(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """questions.jsonl and images.zip in the layout of VQA-RAD: on which side a bright spot is, if there is one."""
    folder, rng, lines = _made(folder), np.random.default_rng(seed), []
    asked = {"Is there a mass?": "CLOSED", "Where is the mass?": "OPEN"}
    with zipfile.ZipFile(folder / "images.zip", "w") as pictures:
        for i in range(32):
            side, pixels = ("none", "left", "right")[i % 3], rng.integers(0, 60, (72, 64, 1), "uint8")
            if i % 3:
                pixels[20:40, 8 + 32 * (i % 3 - 1) :][:, :20] = 230
            pictures.writestr(f"synpic{i}.jpg", image(pixels, "jpg"))
            for question, kind in asked.items():
                row = {"qid": len(lines), "image_name": f"synpic{i}.jpg", "image_organ": "CHEST", "question": question,
                       "question_rephrase": question.replace("mass", "lesion"), "question_frame": "NULL",
                       "question_type": "PRES" if kind == "CLOSED" else "POS", "answer_type": kind,
                       "answer": side if kind == "OPEN" else "No" if side == "none" else "Yes",
                       "official_split": "train" if i < 24 else "test"}  # fmt: skip
                lines.append(json.dumps(row))
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def captions(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """The files of easy-VQA with one shape in each picture: `recipes/captions.py` makes sentences of what is asked."""
    folder, rng = _made(folder), np.random.default_rng(seed)
    for part, n in {"train": 240, "test": 48}.items():
        rows = []
        with zipfile.ZipFile(folder / f"{part}_images.zip", "w") as pictures:
            for number in range(n):
                shape, colour = _SHAPES[number % 2], list(_COLOURS)[number // 2 % 3]
                pictures.writestr(f"{number}.png", image(_one_shape(rng, shape, _COLOURS[colour]), "png"))
                rows += [("what shape is in the image?", shape, number), ("what color is the shape?", colour, number)]
        (folder / f"{part}_questions.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "answers.txt").write_text("\n".join([*_SHAPES, *_COLOURS]), encoding="utf-8")
    return folder


_SHAPES = ("rectangle", "triangle")
_COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200)}


def _one_shape(rng, shape, colour, size=64):
    """Pixels (size, size, 3) of a rectangle, or of its lower-left half, on white."""
    pixels, (top, left) = np.full((size, size, 3), 255, "uint8"), rng.integers(2, size // 2, 2)
    side = int(rng.integers(size // 3, size // 2))
    rows, columns = np.mgrid[:side, :side]
    inside = columns <= rows if shape == "triangle" else rows >= 0
    pixels[top : top + side, left : left + side][inside] = colour
    return pixels


def digits(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """train.csv, valid.csv and test.csv of image, audio, text and digit: a digit is the number of one of `ANSWERS`."""
    folder = _made(folder)
    table = pd.read_csv(scenes(folder, n=160, seed=seed, size=28))
    table = table.rename(columns={"photo": "image", "voice": "audio", "question": "text"})
    table["digit"] = table.answer.map(ANSWERS.index)
    for part, rows in {"train": table[:96], "valid": table[96:128], "test": table[128:]}.items():
        rows.to_csv(folder / f"{part}.csv", index=False)
    return folder


def lip_speech(
    folder: str | PathLike[str],
    *,
    seed: int = 0,
    words: Sequence[str] = ("bin", "set", "lay", "red", "blue", "now"),
    frames: int = 34,
) -> Path:
    """PART.tsv, PART_audio.zip and PART_lips.zip of train and test: a word is a tone, and how far a mouth is open."""
    folder, rng, each = _made(folder), np.random.default_rng(seed), frames // 5 + 1
    for part, n in {"train": 48, "test": 8}.items():
        rows = []
        with (
            zipfile.ZipFile(folder / f"{part}_audio.zip", "w") as voices,
            zipfile.ZipFile(folder / f"{part}_lips.zip", "w") as sheets,
        ):
            for name in (f"{part}{i}" for i in range(n)):
                said = rng.choice(len(words), 3, replace=False)
                # Word index of each frame, -1 for silence.
                word = np.repeat(np.concatenate([[-1], said, [-1]]), each)[:frames]
                tone = np.sin(np.repeat(2000 + 1500 * word, 320) * np.arange(320 * frames) / 8000)
                voices.writestr(f"{name}.wav", wav(0.5 * tone * np.repeat(word >= 0, 320)))
                sheets.writestr(f"{name}.jpg", image(_mouths(word), "jpg"))
                when = [f"{words[i]}:{(k + 1) * each}-{(k + 2) * each}" for k, i in enumerate(said)]
                rows.append({"id": name, "frames": frames, "sentence": " ".join(words[i] for i in said),
                             "word_frames": " ".join(when)})  # fmt: skip
        pd.DataFrame(rows).to_csv(folder / f"{part}.tsv", sep="\t", index=False)
    return folder


def _mouths(word):
    """A sheet of frames of 48 x 72, 10 in a row: a dark bar whose height depends on the word."""
    sheet = np.full((-(-len(word) // 10) * 48, 720, 1), 200, "uint8")
    for i, number in enumerate(word):
        top, left = i // 10 * 48 + 4, i % 10 * 72 + 16
        sheet[top : top + 6 * (number + 1), left : left + 40] = 30
    return sheet


def emoji(
    folder: str | PathLike[str],
    *,
    seed: int = 0,
    languages: Sequence[str] = (
        "en",
        "de",
        "fr",
        "es",
        "it",
        "pt",
        "nl",
        "sv",
        "pl",
        "tr",
        "fi",
        "cs",
        "ru",
        "ja",
        "zh",
        "hi",
    ),
) -> Path:
    """emoji.tsv, noto72.zip and blob128.zip: a group is a colour, a subgroup its shade."""
    folder, lines = _made(folder), []
    words = {"ja": "赤青緑", "zh": "红蓝绿", "hi": ["लाल", "नीला", "हरा"]}
    with zipfile.ZipFile(folder / "noto72.zip", "w") as new, zipfile.ZipFile(folder / "blob128.zip", "w") as old:
        for i in range(36):
            colour, shade = i % 3, i // 3 % 2
            names = {f"name_{one}": f"{words.get(one, ['red', 'blue', 'green'])[colour]} {i}" for one in languages}
            fields = {
                "id": f"{i:04x}",
                "concept": str(i),
                "has_blob": "1",
                "group": f"g{colour}",
                "keywords_en": "box|red",
            }
            lines.append(fields | {"split": "test" if i < 12 else "train", "subgroup": f"g{colour}s{shade}"} | names)
            for archive, size in ((new, 72), (old, 128)):
                pixels = np.zeros((size, size, 4), "uint8")
                pixels[8:-8, 8:-8, [colour, 3]] = 255, 255 - 120 * shade
                archive.writestr(f"{i:04x}.png", image(pixels, "png"))
    pd.DataFrame(lines).to_csv(folder / "emoji.tsv", sep="\t", index=False)
    return folder


def clothing_reviews(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """reviews.csv.gz: a word tells the stars, which tell the recommendation; titles, texts and facts may be missing."""
    folder, rng = _made(folder), np.random.default_rng(seed)
    words = np.array(["awful", "poor", "fair", "nice", "lovely"])
    stars = rng.integers(1, 6, 400)
    frame = pd.DataFrame({"Rating": stars, "Recommended IND": (stars > 3).astype(int)})
    frame["Age"] = rng.integers(18, 80, 400)
    frame["Review Text"] = [f"this {words[n - 1]} dress is {words[n - 1]}" * (i % 9 > 0) for i, n in enumerate(stars)]
    frame["Title"] = [words[n - 1] * (i % 5 > 0) for i, n in enumerate(stars)]
    frame["Positive Feedback Count"] = rng.poisson(2, 400)
    for column in ("Division Name", "Department Name", "Class Name"):
        frame[column] = rng.choice(["General", "Petite", ""], 400)
    frame["split"] = np.where(np.arange(400) % 4, "train", "test")
    frame.to_csv(folder / "reviews.csv.gz", index=False)
    return folder


def spoken_digits(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """PART.tsv and PART.zip of train and test: a digit is a pitch, a speaker a timbre."""
    folder, rng = _made(folder), np.random.default_rng(seed)
    for part, takes in {"test": range(2), "train": range(34, 40)}.items():
        rows = [(f"{d}_{s}_{i}.wav", d, s, i) for d in range(10) for s in ("ann", "bob") for i in takes]
        frame = pd.DataFrame(rows, columns=["file", "digit", "speaker", "index"])
        frame.to_csv(folder / f"{part}.tsv", sep="\t", index=False)
        with zipfile.ZipFile(folder / f"{part}.zip", "w") as files:
            for row in frame.itertuples():
                turns = np.arange(rng.integers(2000, 4000)) / 8000 * 2 * np.pi * 200 * 1.2**row.digit
                sound = np.sin(turns) + (row.speaker == "bob") * np.sin(2 * turns) + rng.normal(0, 0.1, len(turns))
                files.writestr(row.file, wav(sound / 3))
    return folder


def sound_events(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """clips.tsv and audio.zip, folds 3 and 4: a low tone, a high one, and noise."""
    folder, rng = _made(folder), np.random.default_rng(seed)
    rows = [(f"{fold}-{kind}-{i}.wav", kind, fold) for fold in (3, 4) for kind in "abc" for i in range(8)]
    frame = pd.DataFrame(rows, columns=["file", "class", "fold"])
    frame.to_csv(folder / "clips.tsv", sep="\t", index=False)
    with zipfile.ZipFile(folder / "audio.zip", "w") as files:
        for file, kind, _ in rows:
            turns = np.arange(40_000) / 8000 * 2 * np.pi * rng.uniform(250, 350) * (1 + 3 * (kind == "b"))
            sound = np.sin(turns) * (kind != "c") + rng.normal(0, 0.2, len(turns))
            files.writestr(file, wav(sound / 3))
    return folder


def _made(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
