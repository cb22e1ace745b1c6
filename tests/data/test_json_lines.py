import json

import pytest

import mmkeras as mm

SPECS = [mm.Text("title", optional=True)]
HEADS = [mm.heads.classification("kind", ["a", "b"])]
RIGHT = {"title": "x", "kind": "a"}
WRONG = {
    "line 3 is no JSON: Expecting value at column 10": b'{"title": ',
    # A form feed is not whitespace in JSON.
    "line 3 is no JSON: Extra data at column 28": b'{"title": "x", "kind": "a"}\f',
    "line 3 holds no JSON object, but list": b'["x", "a"]',
    "line 3 is not in UTF-8: byte 0xe9 at column 15": b'{"title": "caf\xe9", "kind": "a"}',
    r"line 3 has keys twice: \['title'\]": b'{"title": "x", "title": "y", "kind": "a"}',
    r"line 3 has no key 'title', but \['titel'\], which no line with 'title' has": b'{"titel": "x", "kind": "a"}',
}


@pytest.fixture
def table(tmp_path):
    def write(line, **options):
        content = b"\n".join([b"\xef\xbb\xbf" + json.dumps(RIGHT).encode(), b"", line, b'{"kind": "b"}'])
        (tmp_path / "t.jsonl").write_bytes(content)
        return mm.data.from_jsonl(tmp_path / "t.jsonl", SPECS, HEADS, **options)

    return write


@pytest.mark.parametrize("message", WRONG)
def test_lines_that_are_no_such_object(table, message):
    with pytest.raises(ValueError, match=f"1 example.*row 1, .*t.jsonl: {message}"):
        table(WRONG[message])
    raw = table(WRONG[message], on_error="skip")
    assert raw.table["title"].tolist() == [b"x", b""]  # a missing key means absent
    assert list(raw.frame.index) == [0, 2] and [fault.row for fault in raw.skipped] == [1]


def test_nothing_is_left(tmp_path):
    (tmp_path / "t.jsonl").write_text("[1]\n2\n")
    with pytest.raises(ValueError, match="2 example"):
        mm.data.from_jsonl(tmp_path / "t.jsonl", SPECS, on_error="skip")
    (tmp_path / "t.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="needs rows"):
        mm.data.from_jsonl(tmp_path / "t.jsonl", SPECS)


def test_half_a_character(table):
    with pytest.raises(ValueError, match=r"lone surrogates. Received: '\\ud83d' as 'title' in row 1"):
        table(b'{"title": "x \\ud83d", "kind": "a"}')
