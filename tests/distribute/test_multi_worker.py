"""Two workers on this machine train as one process does; and what keeps a cluster from starting is told in time."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.distribute import cluster
from mmkeras.distribute._meeting import meet
from mmkeras.distribute._versions import versions

SCRIPT = Path(__file__).with_name("train_as_worker.py")


def addresses(count):
    """Addresses on this machine whose ports are free."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return found


def config(workers, index):
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Folder, and what each of two workers and one process alone ended with."""
    folder, workers = tmp_path_factory.mktemp("workers"), addresses(2)

    def start(name, **environment):
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", **environment}
        command = [sys.executable, SCRIPT, folder / f"{name}.npz"]
        log = open(folder / f"{name}.log", "w")  # noqa: SIM115 - the process writes to it
        return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    command = [sys.executable, "-m", "mmkeras.data.service", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    service = server.stdout.readline().split()[-1]
    both = [start(f"worker-{i}", TF_CONFIG=config(workers, i), SERVICE=service) for i in range(2)]
    try:
        codes = [process.wait(240) for process in both]
    finally:
        for process in (*both, server):
            process.kill()
    alone = start("alone").wait(240)
    names = ["worker-0", "worker-1", "alone"]
    assert [*codes, alone] == [0, 0, 0], "\n".join((folder / f"{name}.log").read_text()[-2000:] for name in names)
    return folder, *(dict(np.load(folder / f"{name}.npz")) for name in names)


def test_two_workers_end_as_one_process_does(found):
    _, first, second, alone = found
    assert first.keys() == second.keys() == alone.keys() and "log_val_loss" in alone
    for name in alone.keys() - {"refusal"}:
        np.testing.assert_array_equal(first[name], second[name], name)
        np.testing.assert_allclose(first[name], alone[name], atol=1e-5, err_msg=name)
    assert len(alone["answers"]) == 90


def test_the_chief_alone_writes_and_shows_progress(found):
    folder = found[0]
    assert sorted(path.name for path in (folder / "run-2").iterdir()) == sorted(
        path.name for path in (folder / "run-1").iterdir()
    )
    assert (folder / "export-2" / "1" / "saved_model.pb").exists()
    assert (folder / "worker-0" / "report.json").exists() and not (folder / "worker-1").exists()
    assert "Epoch 1/2" in (folder / "worker-0.log").read_text()
    assert "Epoch" not in (folder / "worker-1.log").read_text()


def test_workers_with_another_seed_are_named(found):
    _, first, second, _ = found
    assert str(first["refusal"]) == str(second["refusal"])
    assert str(first["refusal"]).startswith(
        "All workers need the same examples, seed and batch size. Received: worker(s) 1"
    )


def meeting(count, versions=lambda i: {"mmkeras": "1"}, patience=10.0, listed=None):
    """What each worker of a cluster in threads got: None, or the error."""
    listed = listed or addresses(count)
    found = [None] * count

    def join(i):
        try:
            meet(listed, i, versions(i), patience)
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=join, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found, listed


def test_workers_meet_and_leave_their_ports_free():
    found, listed = meeting(3)
    assert found == [None, None, None]
    for address in listed:
        socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))).close()


def test_workers_with_other_versions_are_named():
    found, _ = meeting(2, versions=lambda i: {"mmkeras": str(i), "keras": "3"})
    assert str(found[0]).startswith(
        "All workers need the same versions. Received: worker 0 has {'mmkeras': '0'}, worker 1"
    )
    assert isinstance(found[1], RuntimeError)


def test_the_code_is_part_of_the_versions(tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text("epochs = 1")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    before = versions()
    script.write_text("epochs = 2")
    after = versions()
    assert before.pop("script") != after.pop("script") and before == after
    assert before["mmkeras"].startswith(f"{mm.__version__} (")
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    assert versions() == before  # of an interactive Python


def test_a_worker_that_does_not_come_is_named():
    here, missing = addresses(2)
    with pytest.raises(TimeoutError, match=rf"(?s)within 0.5 seconds.*Missing: 1 \({missing}\)"):
        meet([here, missing], 0, {}, patience=0.5)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=rf"port of a worker must be free. Received: worker 0 at {address}"):
            meet([address, "127.0.0.1:1"], 0, {})


def test_the_chief_is_worker_0(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config(["a:1", "b:2"], 1))
    assert (cluster().workers, cluster().worker, cluster().is_chief) == (2, 1, False)
    jobs = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
    assert (cluster().addresses, cluster().worker) == (("a:1", "b:2", "c:3"), 2)
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1"]}}))
    assert cluster().workers == 1


@pytest.mark.parametrize(
    "text, what",
    [
        ("{", "lacks a part"),
        (config(["a:1", "b:2"], 2), "task is not among the workers"),
        (config(["a:1", "a:1"], 0), "the same address"),
        (config(["a", "b:2"], 0), "HOST:PORT"),
        (json.dumps({"cluster": {"ps": ["a:1"], "worker": ["b:2"]}}), "jobs \\['ps'\\] are unknown"),
    ],
)
def test_a_wrong_tf_config_is_refused(monkeypatch, text, what):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=f"TF_CONFIG must be like .*{what}.*Received: "):
        cluster()
