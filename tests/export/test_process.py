"""A process that is killed leaves no other one behind, and its folders are removed by the next export."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from mmkeras.export import process
from mmkeras.export.folder import new_version

CHILD = """
import fcntl, os, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
os.close(os.open(sys.argv[2], os.O_CREAT))
time.sleep(60)
"""
# As an export does it; the file alone, for the package takes seconds to import.
PARENT = f"""
import importlib.util, pathlib, sys, tempfile
spec = importlib.util.spec_from_file_location("process", {process.__file__!r})
process = importlib.util.module_from_spec(spec)
spec.loader.exec_module(process)
script, request, answer, versions = sys.argv[1:]
tempfile.tempdir = str(pathlib.Path(versions).parent)
with process.unfinished(".unfinished-", versions), process.scratch():
    process.start(script, request, answer)
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "versions").mkdir()
    return [tmp_path / name for name in ("child.py", "lock", "ready", "versions")]


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_free(path):
    """Whether the process that locked it has ended."""
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def left(folder):
    return sorted(path.name.partition("unfinished-")[0] for path in folder.iterdir() if "unfinished-" in path.name)


def test_a_killed_export_leaves_no_process_and_the_next_one_no_folder(files, tmp_path, monkeypatch):
    _, lock, ready, versions = files
    export = subprocess.Popen([sys.executable, "-c", PARENT, *map(str, files)])
    wait_for(ready.exists)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with new_version(versions / "1") as folder, process.scratch():  # of a living process nothing is removed
        folder.mkdir()
        assert not is_free(lock) and left(versions) == [".", "."] and left(tmp_path) == [".mmkeras-", ".mmkeras-"]
    assert left(versions) == ["."] and left(tmp_path) == [".mmkeras-"]
    export.send_signal(signal.SIGKILL)
    export.wait()
    wait_for(lambda: is_free(lock))
    assert left(versions) == ["."]
    with new_version(versions / "2") as folder, process.scratch():
        folder.mkdir()
    assert left(versions) == left(tmp_path) == [] and sorted(os.listdir(versions)) == ["1", "2"]


def test_a_child_ends_with_the_pipe_alone(files):
    """Where the system has no signal for it."""
    script, lock, ready, _ = files
    command = [sys.executable, "-P", str(process._CHILD), str(os.getpid()), str(script), str(lock), str(ready)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    wait_for(ready.exists)
    assert child.poll() is None
    child.stdin.close()
    assert child.wait(30) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the others have the pipe")
def test_a_child_whose_parent_is_gone_does_not_begin(files):
    script, lock, ready, _ = files
    command = [sys.executable, "-P", str(process._CHILD), "1", str(script), str(lock), str(ready)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.wait(30) == 1 and not ready.exists()


def test_what_a_script_says_and_how_it_ends_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys; print(*sys.argv[1:], __name__, file=sys.stderr); sys.exit(3)")
    assert process.start(script, "a", "b") == (3, "a b __main__\n")
