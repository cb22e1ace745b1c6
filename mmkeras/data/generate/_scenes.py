"""Scenes: real PNG, JPEG and WAV files with a question that only picture, sound and text together answer.

A picture shows two shapes, left and right, of different colour and shape. The pitch of a sound rises, which stands for
right, or falls, for left. The question asks for the colour or for the shape found on that side:

    "Rising means right, falling means left: what colour do you see?"

**Why no modality is enough.** One example is a point of the product: two colours and two shapes in the picture (4*3 *
4*3), the tone (2) and what is asked (2), drawn evenly; its answer depends on nothing else, and the rest (places, sizes,
tints, pitches, wording, noise) is drawn without looking at that point. Renaming the colours or the shapes maps the
product onto itself, and so does exchanging the sides together with the tones. So the best guess is right in

- 1/4 of the cases from the question alone (4 equally likely colours, or shapes), and no more with the sound added;
- 1/4 from the picture alone: 2 sides and 2 attributes leave 4 equally likely answers;
- 1/8 from the sound alone;
- 1/2 from the picture with the question (which side?), and from the picture with the sound (colour or shape?).

`ceilings` counts this over the whole product. A model above 1/2 has combined all three.

>>> ceilings()["question"], ceilings()["photo"], ceilings()["voice"], ceilings()["question+photo+voice"]
(0.25, 0.25, 0.125, 1.0)
"""

import csv
import itertools
from collections import Counter, defaultdict
from os import PathLike
from pathlib import Path

import numpy as np

from mmkeras.data.generate import files

COLOURS = {"red": (214, 64, 58), "green": (62, 160, 92), "blue": (58, 104, 204), "yellow": (238, 190, 52)}
# Number of tips, and the ratio of the inner to the outer radius; cos(pi / tips) gives a regular polygon.
SHAPES = {"circle": (24, np.cos(np.pi / 24)), "square": (4, np.cos(np.pi / 4)), "triangle": (3, 0.5), "star": (5, 0.45)}
SIDES = ("left", "right")
SIDE_OF = {"rising": "right", "falling": "left"}
ROOMS = {"library": -26.0, "office": -21.0, "kitchen": -16.0, "street": -11.0}
ANSWERS = (*COLOURS, *SHAPES)
COLUMNS = ("question", "photo", "voice", "answer", "scene", "tone", "caption", "objects", "area", "loudness", "hour",
           "room")  # fmt: skip
TEMPLATES = (
    "Rising means right, falling means left: what {} do you see?",
    "When the pitch rises look right, when it falls look left: which {} is there?",
    "Which {} is on the right if the tone rises, on the left if it falls?",
    "Name the {} on the left for a falling sound, otherwise on the right.",
    "Take the left one if the sound falls, else the right: what {} is it?",
    "The right one if the note climbs, else the left one: tell me its {}.",
)


def scenes(
    folder: str | PathLike[str],
    *,
    n: int = 3000,
    seed: int = 0,
    size: int = 64,
    sample_rate: int = 8000,
    seconds: float = 0.5,
    questions_per_scene: int = 2,
    missing: float = 0.0,
) -> Path:
    """Writes `images/`, `sounds/` and `examples.csv` into `folder`; the same arguments write the same bytes.

    Columns: `question`, `photo` and `voice` (paths relative to `folder`), `answer` (one of `ANSWERS`), `scene`
    (examples of one scene share its files: split by it), `tone` ("rising", "falling"), `caption`, `objects` (the two
    shapes, "circle|star"), `area` (share of the picture that the shapes cover), `loudness` (dBFS), `hour` (pure
    noise), `room` (says something about the loudness, nothing about the answer).

    Args:
        folder: made where it is not there.
        n: number of examples, the rows of the CSV file.
        seed: of everything that is random.
        size: height and width of the pictures in pixels; even scenes are PNG files, odd ones JPEG.
        sample_rate: of the 16-bit mono WAV files, in Hz.
        seconds: length of the sounds.
        questions_per_scene: number of examples that share one picture and sound; they ask for the colour and the
            shape in turn.
        missing: share of the examples whose photo or voice (one of the two, evenly) is empty in the CSV file; all else
            stays as it is without.

    Returns:
        The `Path` of `examples.csv`.

    Raises:
        ValueError: `n` or `questions_per_scene` is below 1, or `missing` outside 0 to 1.

    Example:

    >>> import tempfile
    >>> path = scenes(tempfile.mkdtemp(), n=4)
    >>> path.name, len(path.read_text().splitlines())
    ('examples.csv', 5)
    """
    _check(n >= 1, "n must be at least 1.", n)
    _check(questions_per_scene >= 1, "questions_per_scene must be at least 1.", questions_per_scene)
    _check(0 <= missing <= 1, "missing is a share and must lie in [0, 1].", missing)
    rng, folder, rows = np.random.default_rng(seed), Path(folder), []
    for sub in ("images", "sounds"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    for scene, (objects, tone) in enumerate(_draw_scenes(rng, -(-n // questions_per_scene))):
        room, hour, first = str(rng.choice(list(ROOMS))), int(rng.integers(24)), int(rng.integers(2))
        pixels, area = _picture(rng, objects, size)
        sound, loudness = _sound(rng, tone, round(seconds * sample_rate), sample_rate, ROOMS[room])
        photo, voice = f"images/{scene:04d}.{('png', 'jpg')[scene % 2]}", f"sounds/{scene:04d}.wav"
        (folder / photo).write_bytes(files.image(pixels, photo.rpartition(".")[2]))
        (folder / voice).write_bytes(files.wav(sound, sample_rate))
        described = (_caption(objects), "|".join(sorted(shape for _, shape in objects)))
        measured = (round(area, 4), round(loudness, 2), hour, room)
        for asked in [(first + k) % 2 for k in range(questions_per_scene)]:
            answer = _answer(objects, tone, asked)
            rows.append([_question(rng, asked), photo, voice, answer, scene, tone, *described, *measured])
    return _write_csv(folder / "examples.csv", _leave_out(rows[:n], missing, seed))


def ceilings() -> dict[str, float]:
    """The best accuracy any model can reach from each set of modalities, counted over all 576 cases.

    Returns:
        dict: "question", "photo", "voice", and each set of them joined by "+", to a float.
    """
    cases = [
        {"question": asked, "photo": objects, "voice": tone, "answer": _answer(objects, tone, asked)}
        for (objects, tone), asked in itertools.product(_all_scenes(), (0, 1))
    ]
    names = ("question", "photo", "voice")
    sets = [chosen for size in (1, 2, 3) for chosen in itertools.combinations(names, size)]
    return {"+".join(chosen): _best_guess(cases, chosen) for chosen in sets}


def _best_guess(cases, seen):
    answers = defaultdict(Counter)
    for case in cases:
        answers[tuple(case[name] for name in seen)][case["answer"]] += 1
    return sum(max(counts.values()) for counts in answers.values()) / len(cases)


def _all_scenes():
    """All combinations of (colour, shape) on the left, (colour, shape) on the right, and the tone."""
    colours, shapes = itertools.permutations(COLOURS, 2), itertools.permutations(SHAPES, 2)
    return [(tuple(zip(c, s, strict=True)), tone) for c, s, tone in itertools.product(colours, shapes, SIDE_OF)]


def _draw_scenes(rng, count):
    """Draws `count` scenes in shuffled rounds through all of them, so that they are as balanced as possible."""
    everything = _all_scenes()
    rounds = [rng.permutation(len(everything)) for _ in range(-(-count // len(everything)))]
    return [everything[index] for index in np.concatenate(rounds)[:count]]


def _answer(objects, tone, asked):
    """The answer; `asked` is 0 for the colour, 1 for the shape."""
    return objects[SIDES.index(SIDE_OF[tone])][asked]


def _question(rng, asked):
    return str(rng.choice(TEMPLATES)).format(("colour", "shape")[asked])


def _caption(objects):
    (left_colour, left_shape), (right_colour, right_shape) = objects
    return f"a {left_colour} {left_shape} left of a {right_colour} {right_shape}"


def _leave_out(rows, missing, seed):
    """Empties the photo or the voice of some rows, with random numbers of its own, so that nothing else changes."""
    rng = np.random.default_rng([seed, 1])
    which = [COLUMNS.index("photo"), COLUMNS.index("voice")]
    for row, absent, column in zip(rows, rng.random(len(rows)) < missing, rng.choice(which, len(rows)), strict=True):
        row[column] = "" if absent else row[column]
    return rows


def _picture(rng, objects, size):
    """Pixels (size, size, 3) uint8, and the share of them that the shapes cover."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    tilt = rng.uniform(-10, 10, 2)
    pixels = rng.uniform(215, 245, 3) + (tilt[0] * x + tilt[1] * y)[..., None]
    areas = rng.uniform(0.06, 0.09, 2)
    for centre, area, (colour, shape) in zip((0.27, 0.73), areas, objects, strict=True):
        place = np.array([centre, 0.5]) + rng.uniform(-1, 1, 2) * (0.02, 0.12)
        cover = _cover(x - place[0], y - place[1], area, rng.uniform(-0.2, 0.2), *SHAPES[shape], 1 / size)[..., None]
        pixels = pixels * (1 - cover) + cover * (np.array(COLOURS[colour]) + rng.uniform(-14, 14, 3))
    pixels += rng.normal(0, 3, pixels.shape)
    return np.clip(pixels, 0, 255).round().astype(np.uint8), float(areas.sum())


def _cover(x, y, area, turn, tips, inner, pixel):
    """How much of each pixel a star with this `area` covers, 0 to 1: its distance to the edge, in pixels."""
    sector = np.pi / tips
    radius = np.sqrt(area / (tips * inner * np.sin(sector)))
    turn = turn + (sector if tips == 4 else 0)  # rotate squares to stand on a side rather than on a corner
    # By symmetry, fold the plane at every tip and valley: a single straight edge remains, from a tip to a valley.
    angle = np.abs((np.arctan2(x, -y) + turn + sector) % (2 * sector) - sector)
    edge = radius * np.array([inner * np.cos(sector) - 1, inner * np.sin(sector)])
    normal = np.array([edge[1], -edge[0]]) / np.hypot(*edge)
    distance = np.hypot(x, y) * (np.cos(angle) * normal[0] + np.sin(angle) * normal[1]) - radius * normal[0]
    return np.clip(0.5 - distance / pixel, 0, 1)


def _sound(rng, tone, samples, sample_rate, level):
    """Waveform (samples,) float64 in [-1, 1], a chirp over an octave and a half or more, and its loudness in dBFS."""
    low, octaves = rng.uniform(300, 500), rng.uniform(1.5, 2.2)
    time = np.linspace(0, 1, samples)
    pitch = low * 2 ** (octaves * (time if tone == "rising" else 1 - time))
    wave_form = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate + rng.uniform(0, 2 * np.pi))
    wave_form *= np.minimum(1, 20 * np.minimum(time, 1 - time))  # fade in and out to avoid clicks
    wave_form += rng.normal(0, 0.05, samples)
    loudness = level + rng.uniform(-3, 3)
    return wave_form * 10 ** (loudness / 20) / np.sqrt(np.mean(wave_form**2)), loudness


def _write_csv(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    return path


def _check(ok, rule, received):
    if not ok:
        raise ValueError(f"{rule} Received: {received}. Change that argument of mmkeras.data.generate.scenes.")
