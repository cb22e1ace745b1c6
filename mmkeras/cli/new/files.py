"""Columns that name files: where these lie, and how large they are."""

import collections
import io
import re
import string
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from mmkeras.checks import check_name, suggested
from mmkeras.cli.new import places
from mmkeras.cli.new.kinds import Column

ENDINGS = {
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"),
    "audio": (".wav", ".flac", ".mp3", ".ogg", ".oga"),
    "video": (".mp4", ".avi", ".mov", ".webm", ".mkv", ".zip"),
    "vector": (".npy",),
}
_CALLED = {"image": "pictures", "audio": "sounds", "video": "clips", "vector": "vectors"}
_SAMPLE = 40  # files that are opened


class Pattern(NamedTuple):
    """How the names of the files of an input are made, "photo=noto72.zip/{id}.png"."""

    name: str
    root: str
    template: str

    @property
    def parts(self) -> list[tuple[str, str | None]]:
        """Pairs of what stands before a field, and the field; None at the end."""
        parts = list(string.Formatter().parse(self.template))
        if any(form or conversion for _, _, form, conversion in parts):
            raise ValueError("fields are not formatted")
        return [(literal, field) for literal, field, _, _ in parts]

    @property
    def fields(self) -> list[str]:
        return [field for _, field in self.parts if field is not None]

    def values(self, frame: pd.DataFrame) -> pd.Series:
        """The name of the file of each row; None where a field has no value."""
        rows = zip(*(frame[field] for field in self.fields), strict=True)
        made = [None if None in row else self.template.format(**dict(zip(self.fields, row, strict=True)))
                for row in rows]  # fmt: skip
        return pd.Series(made, dtype=object)


def pattern(text: str, columns: list[str]) -> Pattern:
    """Reads `--files`.

    Raises:
        ValueError: it is no NAME=PATTERN, or the pattern holds no column, or one that is not there.
    """
    name, equals, rest = text.partition("=")
    fixed = rest.partition("{")[0].rpartition("/")[0]
    made = Pattern(name, fixed, rest[len(fixed) :].lstrip("/"))
    try:
        fields = made.fields
    except ValueError:
        fields = []
    if not equals or not fields:
        raise ValueError(
            "--files says how names of files are made of columns. Received: "
            f'{text!r}. Write it as "photo=photos.zip/{{id}}.png".'
        )
    check_name(name)
    if name in columns and made.template != f"{{{name}}}":
        raise ValueError(f"--files makes an input of a new name. Received: {text!r}, and a column {name!r}. Rename it.")
    unknown = suggested([field for field in fields if field not in columns], columns)
    if unknown:
        raise ValueError(f"--files {text!r} names columns. Received: {unknown}. Columns: {columns}.")
    return made


def kind_by_ending(values: pd.Series) -> str | None:
    """What most of these names are those of, by their endings; None for no files."""
    endings = values.head(1000).map(lambda value: PurePosixPath(value.strip()).suffix.lower())
    if not len(endings) or values.str.match(r"https?://").mean() > 0.5:
        return None
    # More than half, not all: names of files that were once there are often written with less care.
    shares = {kind: endings.isin(known).mean() for kind, known in ENDINGS.items()}
    best = max(shares, key=shares.get)
    return best if shares[best] > 0.5 else None


def _are_frames(values: pd.Series, around: list) -> bool:
    """Whether most of these names are those of folders with pictures, the frames of a clip.

    Few rows share a clip: where many name a folder, it is that of a class.
    """
    names = values.drop_duplicates()
    if len(names) < len(values) / 2:
        return False
    sample = names.sample(min(20, len(names)), random_state=0)
    return any(np.mean([place.holds_files_in(each, ENDINGS["image"]) for each in sample]) > 0.5 for place in around)


def look(name: str, values: pd.Series, base: Path, around: list, table: str, made: Pattern | None = None):
    """The column of files, or None where it names none.

    Args:
        name: of the column; of a made one, that of the input.
        values: names, None where there is none.
        base: folder of the table.
        around: the places in which files may lie.
        table: name of the table, which an archive of its own resembles.
        made: the pattern that made the names.
    """
    there = values.dropna()
    if not len(there) or not all(isinstance(value, str) for value in there):
        return None
    kind = kind_by_ending(there) or ("video" if _are_frames(there, around) else None)
    if kind is None:
        return None if made is None else _refuse(made, "its names end like no file that is read")
    where, shares = _where(there, base, around, table, made)
    if len(where) != 1:
        return _not_found(name, kind, where, made, there)
    found = Column(name, kind, "", missing=len(values) - len(there), groups=there.nunique() < len(there))
    found.facts = {
        "different": there.nunique(),
        "root": where[0].root,
        "lost": round((1 - shares) * len(there)),
        "made": made,
    }
    _measure(found, there.drop_duplicates(), where[0])
    return found


def _where(there, base, around, table, made):
    """Places that hold (most of) the files, and the share of rows whose file is in the first."""
    if made is not None:
        place = places.place(base, made.root)
        around = [] if place is None else [place]
    sample = there.drop_duplicates().sample(min(200, there.nunique()), random_state=0)
    scores = [(sum(value in place for value in sample) / len(sample), place) for place in around]
    best = max((score for score, _ in scores), default=0)
    if best < 0.5:
        return [], 0
    near = [place for score, place in scores if score == best]
    words = set(re.findall(r"[a-z]+", table.lower()))  # train.zip belongs to train.csv
    alike = [place for place in near if words & {*re.findall(r"[a-z]+", place.root.lower())} & {"train", "test"}]
    near = alike if len(alike) == 1 else near
    return near, float(np.mean([value in near[0] for value in there])) if len(near) == 1 else 0


def _not_found(name, kind, where, made, there):
    if made is not None:
        return _refuse(made, f"no file there such as {made.root}/{there.iloc[0]}")
    option = f'--files "{_identifier(name)}=PLACE/{{{name}}}"'
    if where:
        listed = ", ".join(place.root or "the folder" for place in where)
        return Column(name, "out", f"names of {_CALLED[kind]} that are in several places: {listed}", {"hint": option})
    return Column(name, "out", f"names of {_CALLED[kind]} that are not beside the table", {"hint": option})


def _refuse(made, why):
    raise ValueError(
        f"--files must name files. Received: {made.name}={made.root}/{made.template}, {why}. Paths begin at the folder "
        "of the table; an archive is a folder."
    )


def _identifier(name):
    return re.sub(r"\W+", "_", name).strip("_").lower() or "file"


def _opened(kind, names, place):
    """(sizes of those that can be read, why the others cannot)."""
    sizes, broken = [], []
    there = [name for name in names.sample(min(len(names), 3 * _SAMPLE), random_state=0) if name in place][:_SAMPLE]
    for name in there:
        try:
            sizes.append(_SIZES[kind](place.value(name)))
        except ImportError:  # PyAV, which reads movies
            raise
        except Exception as error:  # of Pillow, wave, zipfile, PyAV, ...
            broken.append(f"{name}: {(str(error).splitlines() or [type(error).__name__])[0]}")
    return sizes, broken


def _measure(found, names, place):
    """Opens some of the files."""
    sizes, broken = _opened(found.kind, names, place)
    if not sizes:
        raise ValueError(
            f"Files of column '{found.name}' must be {_CALLED[found.kind]}. Received: {broken[0]}. Mend them, or leave "
            f"the column out: --drop {found.name!r}."
        )
    if found.kind == "image" and np.mean([size["frames"] > 1 for size in sizes]) > 0.5:
        found.kind = "video"
    summary = {key: [size[key] for size in sizes if key in size] for key in sizes[0]}
    found.facts |= {"measured": summary}
    found.why = f"{_CALLED[found.kind]} in {place.root or 'the folder of the table'}: {_told(found.kind, summary)}"
    if broken:
        found.why += f"; {len(broken)} of {len(sizes) + len(broken)} opened ones are broken, such as {broken[0]}"
    if found.facts["lost"]:
        found.why += f"; {found.facts['lost']:,} files are not there: those rows are skipped, and listed"


def _told(kind, summary):
    if kind == "audio":
        return f"{_range(summary['seconds'])} s at {collections.Counter(summary['rate']).most_common(1)[0][0]:,} Hz"
    if kind == "vector":
        return f"{summary['size'][0]} numbers"
    frames = f"{_range(summary['frames'])} frames of " if kind == "video" else ""
    return f"{frames}{_range(summary['width'])} x {_range(summary['height'])} pixels"


def _range(values):
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:.4g} to {high:.4g}"


def _image(value):
    from PIL import Image

    with Image.open(io.BytesIO(value) if isinstance(value, bytes) else value) as picture:
        return {"width": picture.width, "height": picture.height, "frames": getattr(picture, "n_frames", 1),
                "grey": picture.mode in ("1", "L", "LA", "I", "I;16")}  # fmt: skip


def _audio(value):
    from mmkeras.data.files.sizes import sound_size
    from mmkeras.data.files.transcode import to_wav

    return sound_size(value, lambda content: to_wav(content).numpy())


def _video(value):
    from mmkeras.data.files.sizes import clip_size

    return clip_size(value)


def _vector(value):
    array = np.load(io.BytesIO(value) if isinstance(value, bytes) else value)
    return {"size": int(array.size)}


_SIZES = {"image": _image, "audio": _audio, "video": _video, "vector": _vector}


def hints(columns: list[Column], frame: pd.DataFrame, around: list) -> list[str]:
    """Options that would take in files whose names hold a value of a column, "0023-20e3" in 0023-20e3.png."""
    found = []
    for place in around:
        stems = {}
        for name in place.names():
            path = PurePosixPath(name)
            stems.setdefault(path.suffix.lower(), set()).add(path.stem)
        for ending, there in stems.items():
            kind = next((kind for kind, known in ENDINGS.items() if ending in known), None)
            for column in columns if kind else ():
                values = frame[column.name].dropna() if column.name in frame else ()
                if column.kind not in ("image", "audio", "video", "vector", "text", "label") and _held(values, there):
                    called = {"image": "photo", "audio": "sound", "video": "clip", "vector": "vector"}[kind]
                    made = f"{place.root}/" * bool(place.root) + f"{{{column.name}}}{ending}"
                    found.append(f'--files "{called}={made}"')
    return found


def _held(values, stems):
    distinct = set(values[:5000]) if len(values) and isinstance(values.iloc[0], str) else set()
    return len(distinct) > 10 and len(distinct & stems) > 0.9 * len(distinct)
