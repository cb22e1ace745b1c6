"""CSV files whose rows pandas would alter without a word."""

import gzip
import io

import pytest

import mmkeras as mm

SPECS = [mm.Text("title", optional=True)]
HEADS = [mm.heads.classification("kind", ["a", "b"])]


@pytest.fixture
def table(tmp_path):
    def write(content, **options):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return mm.data.from_csv(path, SPECS, HEADS, **options)

    return write


def content(raw):
    return [text.decode() for text in raw.table["title"]], raw.table["kind"].tolist(), list(raw.frame.index)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "title,kind\nI like it, really,a\nSo, so,b\n",
            "row 0, .*t.csv: line 2 has 3 field.*header has 2: .*in quotes",
        ),
        ("title,kind\nfine,a\n\nSo, so,b\n", "row 1, .*t.csv: line 4 has 3 field.*header has 2"),
        ("kind,x,title\na,x,fine\nb,x\n", "row 1, .*t.csv: line 3 has 2 field.*header has 3: leave no field out"),
        ('title,kind\n"a\nb",a\n"c\nd"\n', "row 1, .*the text from line 4 to 5 has 1 field"),
        ("title,kind\nx\0y,a\n", "row 0, .*line 2 holds a NUL character after 'x'"),
        (b"title,kind\nfine,a\ncaf\xe9,b\n", "row 1, .*line 3 is not in utf-8: byte 0xe9 after 'caf'; give encoding="),
        ('title,kind\nfine,a\n"open,b\n', "row 1, .*line 3 has 1 field"),
        (
            "title,kind\0\nx,a\n",
            "must be a table of .*t.csv: line 1, the header, holds a NUL character after 'title,kind'",
        ),
        (b"titl\xe9,title,kind\nx,y,a\n", "must be a table of .*t.csv: line 1, the header, is not in utf-8: byte 0xe9"),
        ("", "must be a table of rows and fields. Received: .*t.csv: No columns"),
        ("title,title,kind\nx,y,a\n", r"Column names must be unique. Received: \['title'\]"),
    ],
)
def test_rows_that_are_not_what_the_header_says(table, text, message):
    with pytest.raises(ValueError, match=message):
        table(text)


def test_fields_of_a_single_column_are_not_taken_for_an_index(tmp_path):
    (tmp_path / "t.csv").write_text("title\na,b,c\nd\n")
    with pytest.raises(ValueError, match="row 0, .*line 2 has 3 field.*the header has 1"):
        mm.data.from_csv(tmp_path / "t.csv", SPECS)
    with pytest.raises(ValueError, match="where row 0 has 3 and the header 1"):  # pandas alone also finds these rows
        mm.data.from_csv(tmp_path / "t.csv", SPECS, comment="#")


def test_rows_are_left_out_and_keep_their_numbers(table):
    text = b"title,kind\na,a\nb, b,b\n\nc,b\ncaf\xe9,a\nd\ne\0,a\n"
    raw = table(text, on_error="skip")
    assert content(raw) == (["a", "c"], [0, 1], [0, 2])
    assert [fault.row for fault in raw.skipped] == [1, 3, 4, 5]
    with pytest.raises(ValueError, match="(?s)4 example.*row 1.*row 3.*row 4.*row 5.*on_error='skip'"):
        table(text)
    with pytest.raises(ValueError, match="1 example"):
        table("title,kind\na, b,a\n", on_error="skip")


LARGE = "x" * 200_000  # the csv module's default limit is 131,072 characters


@pytest.mark.parametrize(
    ("text", "options", "titles"),
    [
        ('\ufefftitle,kind\r\n"a, b",a\r\n', {}, ["a, b"]),
        ('title,kind\n"a\n\nb",a\n   \n5" disk,b\n\n', {}, ["a\n\nb", '5" disk']),
        ("title\tkind\na, b\ta\n\tb\n", {"sep": "\t"}, ["a, b", ""]),
        ('title\tkind\n"a\ta\n', {"sep": "\t", "quoting": 3}, ['"a']),
        ("title;kind\n'a; b';a\n", {"delimiter": ";", "quotechar": "'"}, ["a; b"]),
        ("made by hand\ntitle,kind\na,a\n", {"skiprows": 1}, ["a"]),
        ("a,a\nb,b\nc\n", {"names": ["title", "kind"], "nrows": 2}, ["a", "b"]),
        ("kind,title,\na,x,\n", {}, ["x"]),
        ("kind,title\na,x,\n", {"index_col": False}, ["x"]),
        ("kind  title\na    x\n", {"sep": r"\s+"}, ["x"]),
        ("title,kind\na,a # first\n", {"comment": "#", "sep": ","}, ["a"]),
        (f"title,kind\n{LARGE},a\n", {}, [LARGE]),
        ("title,kind\ncafé,a\n".encode("utf-16"), {"encoding": "utf-16"}, ["café"]),
        ("title,kind\ncafé,a\n".encode("latin-1"), {"encoding": "latin-1"}, ["café"]),
        (gzip.compress(b"title,kind\na,a\n", mtime=0), {"compression": "gzip"}, ["a"]),
    ],
)
def test_what_is_right_stays_as_it_is(table, text, options, titles):
    assert content(table(text, **options))[0] == titles


def test_file_objects():
    for file in (io.StringIO("title,kind\na,a\n"), io.BytesIO(b"title,kind\na,a\n")):
        assert content(mm.data.from_csv(file, SPECS, HEADS))[0] == ["a"]
    with pytest.raises(ValueError, match="row 0: line 2 has 3 field"):
        mm.data.from_csv(io.BytesIO(b"title,kind\na,a,a\n"), SPECS, HEADS)
    with pytest.raises(ValueError, match=r"Received: StringIO, and no root for \['photo'\]. Give root="):
        mm.data.from_csv(io.StringIO("photo\n\n"), [mm.Image("photo")])


def test_paths_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.png").write_bytes(b"x")
    (tmp_path / "t.csv").write_text("photo\nx.png\n~/photos/x.png\n")
    (tmp_path / "t.jsonl").write_text('{"photo": "~/photos/x.png"}\n')
    raw = mm.data.from_csv("~/t.csv", [mm.Image("photo")], root="~/photos")
    assert raw.table["photo"].tolist() == [str(tmp_path / "photos" / "x.png")] * 2
    assert len(mm.data.from_jsonl("~/t.jsonl", [mm.Image("photo")])) == 1


@pytest.mark.parametrize("kind", ["path", "text", "bytes"])
def test_lines_that_end_in_carriage_returns_alone(tmp_path, kind):
    """pandas reads a line twice where a blank follows: 'title,kind' becomes a row."""
    text = 'title,kind\r one,a\r\ttwo,b\r"so\r so",a\r'
    (tmp_path / "t.csv").write_bytes(text.encode())
    source = {"path": tmp_path / "t.csv", "text": io.StringIO(text), "bytes": io.BytesIO(text.encode())}[kind]
    raw = mm.data.from_csv(source, SPECS, HEADS)
    assert content(raw) == ([" one", "\ttwo", "so\r so"], [0, 1, 0], [0, 1, 2])
