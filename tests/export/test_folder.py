import pytest

from mmkeras.export.folder import new_file, new_version, next_version


def test_the_folder_appears_only_when_the_block_ends(tmp_path):
    with new_version(tmp_path / "name" / "1") as unfinished:
        unfinished.mkdir()
        (unfinished / "file").write_text("content")
        assert [path.name for path in (tmp_path / "name").iterdir() if path.name.isdecimal()] == []
    assert [path.name for path in (tmp_path / "name").iterdir()] == ["1"]
    assert (tmp_path / "name" / "1" / "file").read_text() == "content"


def test_nothing_is_left_behind_upon_failure(tmp_path):
    with pytest.raises(RuntimeError), new_version(tmp_path / "a" / "b" / "1") as unfinished:
        unfinished.mkdir()
        raise RuntimeError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["latest", "0", "v1", "-1", "1.0"])
def test_a_version_is_a_positive_integer(tmp_path, name):
    with pytest.raises(ValueError, match="positive integer"), new_version(tmp_path / name):
        pass


def test_a_version_is_never_overwritten(tmp_path):
    (tmp_path / "7").mkdir()
    with pytest.raises(FileExistsError, match=r"next free one is '.*8'"), new_version(tmp_path / "7"):
        pass


def test_of_two_exports_to_one_version_the_second_to_end_is_refused(tmp_path):
    refused = pytest.raises(FileExistsError, match=r"never overwritten.*next free one is '.*2'")
    with refused, new_version(tmp_path / "1") as slow:
        slow.mkdir()
        with new_version(tmp_path / "1") as fast:
            fast.mkdir()
            (fast / "file").write_text("fast")
        (slow / "other").write_text("slow")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["1", "1/file"]


def test_next_version_counts_on_from_the_highest(tmp_path):
    for name in ("2", "10", "notes"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == tmp_path / "11"


BESIDE = (".parity.json", ".note.txt")


def write_three(path, content, fail=False, **options):
    with new_file(path, ".x", beside=BESIDE, **options) as unfinished:
        unfinished.write_text(content)
        unfinished.with_name("a.parity.json").write_text(content)
        if fail:
            raise RuntimeError


def test_files_beside_a_file_come_with_it_and_those_of_an_older_one_go(tmp_path):
    write_three(tmp_path / "a.x", "old")
    (tmp_path / "a.note.txt").write_text("old")
    with pytest.raises(RuntimeError):
        write_three(tmp_path / "a.x", "new", fail=True, overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.x": "old", "a.parity.json": "old", "a.note.txt": "old"
    }  # fmt: skip
    write_three(tmp_path / "a.x", "new", overwrite=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.x": "new", "a.parity.json": "new"}


def test_files_beside_a_file_are_not_overwritten_unasked(tmp_path):
    (tmp_path / "a.parity.json").write_text("old")
    with pytest.raises(FileExistsError, match=r"a\.parity\.json"):
        write_three(tmp_path / "a.x", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parity.json"]


def test_of_two_exports_to_one_file_the_second_to_end_is_refused(tmp_path):
    with (
        pytest.raises(FileExistsError, match=r"existing file is not overwritten.*a\.x"),
        new_file(tmp_path / "a.x", ".x") as slow,
    ):
        slow.write_text("slow")
        write_three(tmp_path / "a.x", "fast")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.x": "fast", "a.parity.json": "fast"}
