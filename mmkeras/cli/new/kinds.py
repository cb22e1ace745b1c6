"""What a column without files holds: text, numbers, categories, dates, vectors, or nothing to learn from."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd

from mmkeras.checks import check_resolution
from mmkeras.formats import dates

_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|\w+|[^\w\s]")
_ABSENT = {"na", "n/a", "nan", "null", "none", "?", "-", "--", "unknown"}  # of numbers, in lower case
_NO_TEXT = {"na", "n/a", "nan", "null"}  # "none" may be an answer
_ID = re.compile(r"(?:^|[\W_])(?i:id|ids|idx|uuid|guid|key)$|[a-z]I[Dd]$|^(?i:[a-z]?id)$")  # not "paid"
_NUMBERING = re.compile(r"^(?:index|idx|row|nr|no|number|unnamed.*)$", re.IGNORECASE)
GROUPS = ("concept", "speaker", "subject", "patient", "participant", "person", "user", "customer", "author", "session",
          "scene", "recording", "case", "document")  # fmt: skip
_SAMPLE = 2000


@dataclasses.dataclass
class Column:
    """What was found of a column.

    Attributes:
        name: of the column in the table; of a made one, that of the input.
        kind: "text", "image", "audio", "video", "vector", "number", "category" or "date", which are inputs; "label",
            "split", "fold"; or "out".
        why: what was seen.
        facts: what the spec is made of.
        missing: rows without a value.
        groups: whether rows that share a value belong together.
    """

    name: str
    kind: str
    why: str
    facts: dict = dataclasses.field(default_factory=dict)
    missing: int = 0
    groups: bool = False

    @property
    def is_input(self) -> bool:
        return self.kind in INPUTS


INPUTS = ("text", "image", "audio", "video", "vector", "number", "category", "date")


def words(text):
    """Its words, numbers and punctuation marks, about as `mm.Text` takes them."""
    return _WORD.findall(text)


def look(name: str, values: pd.Series) -> Column:
    """Looks at one column of texts, None where there is no value."""
    there = values.dropna()
    missing = len(values) - len(there)
    found = _vector(name, there) if len(there) and isinstance(there.iloc[0], list) else None
    if found is None and any(isinstance(value, list | dict) for value in there):
        found = Column(name, "out", "holds lists or objects")
    found = found or _empty(name, there, len(values)) or _date(name, there) or _vector(name, there)
    found = found or _number(name, there) or _string(name, there)
    found.missing = missing
    return found


def _empty(name, there, rows):
    if len(there) < max(1, rows // 50):
        return Column(name, "out", f"nearly empty: {len(there):,} of {rows:,} rows have a value")
    if len(there) == rows and there.nunique() == 1:
        return Column(name, "out", f"constant: always {_short(there.iloc[0])}")
    return None


def _date(name, there):
    sample = there.sample(min(len(there), _SAMPLE), random_state=0)
    if all(dates.parts(value) for value in sample):
        return Column(name, "date", f"dates, {there.min()[:10]} to {there.max()[:10]}")
    form = r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4}(?:[ T].*)?"
    if all(re.fullmatch(form, value) for value in sample):
        shown = _short(there.iloc[0])
        return Column(name, "out", f"dates that are not in ISO 8601: {shown}; pandas.to_datetime reads them")
    return None


def _vector(name, there):
    sizes = {_vector_size(value) for value in there}
    if len(sizes) == 1 and (size := sizes.pop()) > 2:
        return Column(name, "vector", f"{size} numbers in each row", {"size": size})
    return None


def _vector_size(value):
    """How many numbers a cell holds; 0 where it is no vector."""
    if isinstance(value, list):
        return len(value) * all(isinstance(each, int | float) for each in value)
    if not (value.startswith("[") or value.count("|") > 1):
        return 0
    try:
        numbers = json.loads(value) if value.startswith("[") else [float(each) for each in value.split("|")]
        return _vector_size(numbers) if isinstance(numbers, list) else 0
    except ValueError:
        return 0


def numbers_of(there):
    """(numbers, absent): of a column that holds numbers; None of another. `absent` are words that stand for nothing."""
    numbers = pd.to_numeric(there, errors="coerce")
    others = set(there[~np.isfinite(numbers)])
    if {each.strip().lower() for each in others} - _ABSENT or len(numbers.dropna()) < 0.5 * len(there):
        return None
    codes = there.str.fullmatch(r"0\d+").any()  # 007
    return None if codes else (numbers[np.isfinite(numbers)], sorted(others))


def _number(name, there):
    found = numbers_of(there)
    if found is None:
        return None
    numbers, absent = found
    distinct, whole = numbers.nunique(), bool((numbers % 1 == 0).all())
    if whole and (out := _numbering(name, numbers, distinct)):
        return out
    try:
        check_resolution(name, float(numbers.mean()), float(numbers.std(ddof=0)))
    except ValueError:
        return Column(name, "out", "numbers that differ by less than 32 bits can tell: subtract the least one")
    summary = f"numbers, {_compact(numbers.min())} to {_compact(numbers.max())}"
    if whole and _ID.search(name):
        return Column(name, "category", f"numbers that name {distinct} things", {"categories": distinct})
    return Column(name, "number", summary + (f"; {', '.join(absent)} for none" if absent else ""), {"absent": absent})


def _numbering(name, numbers, distinct):
    rows, spread = len(numbers), numbers.max() - numbers.min() + 1
    if distinct == rows and (_ID.search(name) or spread <= 1.2 * rows):
        return Column(name, "out", "a different number in each row")
    if _NUMBERING.search(name):
        return Column(name, "out", "a row number, by its name")
    if _ID.search(name) and (distinct > 50 or distinct > rows / 20):
        return Column(name, "out", f"an id: {_repeats(distinct, rows)}", groups=distinct < rows)
    return _grouping(name, distinct, rows)


def _grouping(name, distinct, rows):
    if name.lower().removesuffix("_id").removesuffix(" id") in GROUPS and 1 < distinct < rows:
        return Column(name, "out", f"tells where a row is from: {_repeats(distinct, rows)}", groups=True)
    return None


def _repeats(distinct, rows):
    return f"{distinct:,} values, {rows / distinct:.1f} rows each; new data may have others"


def _string(name, there):
    distinct, rows = there.nunique(), len(there)
    if out := _grouping(name, distinct, rows):
        return out
    if there.str.match(r"https?://").mean() > 0.9:
        return Column(name, "out", "addresses of the web", groups=distinct < rows)
    return _words(name, there, distinct, rows)


def _words(name, there, distinct, rows):
    """Texts, categories, or names that do not come again."""
    sample = there.sample(min(rows, _SAMPLE), random_state=0)
    counts = sample.map(_count)
    sentences = (counts.mean() >= 4 and distinct >= 10) or (counts.mean() >= 3 and distinct >= 20)
    few = distinct <= max(20, rows / 10) and distinct <= 500
    if few and not sentences:
        shown = ", ".join(map(_short, there.value_counts().index[:3]))
        shown += ", ..." * (distinct > 3)
        return Column(name, "category", f"{distinct} categories: {shown}", {"categories": distinct})
    if sentences or counts.mean() >= 1.5:
        summary = f"text, {counts.mean():.0f} words on average, {distinct:,} different"
        absent = sorted(value for value in there.unique() if value.strip().lower() in _NO_TEXT)
        summary += f"; {', '.join(absent)} for none" if absent else ""
        return Column(name, "text", summary, {"tokens": _tokens(sample, words), "absent": absent})
    if _ID.search(name):
        return Column(name, "out", f"an id: {_repeats(distinct, rows)}", groups=distinct < rows)
    if distinct > rows / 2:
        why = f"few values come again: {distinct:,} different in {rows:,} rows"
        return Column(name, "out", why, groups=distinct < rows * 0.8)
    summary = f"single words, {distinct:,} different: read letter by letter"
    return Column(name, "text", summary, {"tokens": _tokens(sample, list), "characters": True})


def _count(text):
    """How many words; one where nothing divides them, as in "ab-17"."""
    found = [each for each in words(text) if re.match(r"\w", each)]
    return len(found) if re.search(r"[\s|,;\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]", text) else min(len(found), 1)


def _tokens(sample, split):
    """The longest but for a twentieth, rounded up to a multiple of 8."""
    longest = float(np.quantile(sample.map(lambda text: len(split(text))), 0.95))
    return int(min(max(-(-longest // 8) * 8, 8), 256))


def _short(value):
    return repr(value if len(value) < 30 else f"{value[:27]}...")


def _compact(number):
    return f"{number:,.0f}" if number % 1 == 0 else f"{number:,.4g}"
