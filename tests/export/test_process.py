"""A process that is killed leaves no other one behind, and its folders are removed by the next export."""

import fcntl
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

from mmkeras.export.folder import new_version
from mmkeras.export.process import start as process

CHILD = """
import fcntl, os, time
BANNED = ()

def answer(done, lock, ready):
    lock = open(lock, "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.close(os.open(ready, os.O_CREAT))
    time.sleep(60)
"""
# Import the file alone, as an export does, because the package takes seconds to import.
PARENT = f"""
import importlib.util, pathlib, sys, tempfile
spec = importlib.util.spec_from_file_location("process", {process.__file__!r})
process = importlib.util.module_from_spec(spec)
spec.loader.exec_module(process)
script, lock, ready, versions = sys.argv[1:]
tempfile.tempdir = str(pathlib.Path(versions).parent)
with process.temporary_folder(".unfinished-", versions):
    process.ask(script, {{"lock": lock, "ready": ready}})
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
    with new_version(versions / "1") as folder, process.scratch():  # files of a living process are not removed
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


def command_of(files, parent):
    """The command of a child process, whose request is written."""
    script, lock, ready, versions = files
    asked, answer, progress = (versions / name for name in ("request", "answer", "progress"))
    asked.write_bytes(pickle.dumps({"lock": str(lock), "ready": str(ready)}))
    return [sys.executable, "-P", process.SCRIPTS / "child.py", str(parent), script, asked, answer, progress]


def test_a_child_ends_with_the_pipe_alone(files):
    """Where the system has no signal for it."""
    ready = files[2]
    command = command_of(files, os.getpid())
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    wait_for(ready.exists)
    assert child.poll() is None
    child.stdin.close()
    assert child.wait(30) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the others have the pipe")
def test_a_child_whose_parent_is_gone_does_not_begin(files):
    ready = files[2]
    with subprocess.Popen(command_of(files, 1), stdin=subprocess.PIPE) as child:
        assert child.wait(30) == 1 and not ready.exists()


def script_of(tmp_path, body, banned=()):
    script = tmp_path / "script.py"
    script.write_text(f"import os, sys, time\nBANNED = {banned}\n\ndef answer(done, **request):\n    {body}\n")
    return script


def test_a_script_answers_and_tells_how_far_it_is(tmp_path):
    counts = []
    script = script_of(tmp_path, "done(); done(); time.sleep(0.5); return sorted(request)")
    assert process.ask(script, {"b": 1, "a": 2}, watch=counts.append) == ["a", "b"]
    assert counts[-1] == 2


@pytest.mark.parametrize(
    "body, ending, words",
    [
        ("done(); print('so far', file=sys.stderr); sys.exit(3)", "exit status 3", "so far\n"),
        ("done(); os.abort()", r"a crash (SIGABRT)", ""),
        ("done(); import wave", "exit status 1", "import of wave halted"),
    ],
)
def test_how_a_script_fails_is_told(tmp_path, body, ending, words):
    with pytest.raises(process.CrashError) as raised:
        process.ask(script_of(tmp_path, body, banned=("wave",)), {})
    assert (raised.value.ending, raised.value.done) == (ending, 1) and words in raised.value.words


def test_every_script_has_a_time_limit(tmp_path):
    with pytest.raises(TimeoutError, match=r"Script must finish in time. Received: 0.3 seconds without a result"):
        process.ask(script_of(tmp_path, "time.sleep(60)"), {}, timeout=0.3)


def test_a_new_process_is_no_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:2"]}}')
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    (tmp_path / "told.py").write_text("import os\nBANNED = ()\ndef answer(done):\n    return dict(os.environ)\n")
    told = process.ask(tmp_path / "told.py", {})
    assert not {"TF_CONFIG", "TF_USE_LEGACY_KERAS"} & set(told) and told["CUDA_VISIBLE_DEVICES"] == "-1"
