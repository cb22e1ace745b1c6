"""CSV and JSONL files, and what the standard library reads of them, which `mmkeras.data` must read, too."""

import csv
import io
import json

import mmkeras as mm

SPECS = [mm.Text("text", optional=True), mm.Table("row", numeric=["age"], categorical=["room"], optional=True)]
_TEXTS = [
    "I like it, really",
    'she said "no"',
    "two\nlines",
    "größer 漢字",
    "007",
    "NA",
    " blank ",
    "a\tb",
    "x" * 300,
    "",
]
_READ = {"csv": mm.data.from_csv, "jsonl": mm.data.from_jsonl}


def samples(rng):
    """Name -> bytes of whole tables."""
    rows = [{"text": str(rng.choice(_TEXTS)), "age": str(rng.integers(100)), "room": str(rng.choice(["hall", "attic"]))}
            for _ in range(rng.integers(1, 9))]  # fmt: skip
    end, ascii_only = ("\n", "\r\n")[rng.integers(2)], bool(rng.integers(2))
    writer = csv.DictWriter(text := io.StringIO(newline=""), list(rows[0]), lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows)
    return {"csv": text.getvalue().encode(), "jsonl": lines.encode()}


def ask(kind, path):
    """Reads a table, and leaves out what is wrong.

    Returns:
        (outcome, fault): "read", "read in part" or "refused"; and what was read otherwise than it stands in the file,
        None where nothing was.
    """
    try:
        raw = _READ[kind](path, SPECS, on_error="skip")
    except ValueError:
        return "refused", None
    expected = _STANDARD[kind](path.read_bytes())
    for name in ("text", "room"):
        received = dict(zip(raw.frame.index.tolist(), raw.table[name], strict=True))
        for row, value in received.items():
            there = expected.get(row, {}).get(name)
            if value != there:
                return "fault", f"row {row}, {name!r}: the file has {there!r}, read was {value!r}"
    unread = len(expected) - len(raw.frame) - len(raw.skipped)
    if unread:
        return "fault", f"{unread} of {len(expected)} rows are neither read nor reported"
    return ("read in part" if raw.skipped else "read"), None


def _csv(data):
    """Number of the row -> its fields by name, as UTF-8; what is no UTF-8 is not equal to anything that is."""
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline=""))
    header, *rows = [row for row in rows if len(row) > 1 or (row and not row[0].isspace())]  # blank lines are not rows
    return {i: dict(zip(header, map(_utf8, row), strict=False)) for i, row in enumerate(rows)}


def _jsonl(data):
    """Number of the object -> its texts by name, as UTF-8."""
    lines = [line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    return {i: _fields(line) for i, line in enumerate(lines)}


def _fields(line):
    try:
        record = json.loads(line.decode())
    except ValueError:
        return {}
    texts = {name: _utf8("" if value is None else value if isinstance(value, str) else _number(value))
             for name, value in record.items()} if isinstance(record, dict) else {}  # fmt: skip
    return {"text": b"", "room": b""} | texts  # a missing key means absent


def _number(value):
    """3, not 3.0, as the documentation of `mmkeras.data` has it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _utf8(text):
    return text.encode(errors="surrogatepass")


_STANDARD = {"csv": _csv, "jsonl": _jsonl}
