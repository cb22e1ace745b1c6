"""A run folder belongs to one training at a time, and to nobody after a kill."""

import subprocess
import sys
import threading

import pytest

from mmkeras import train

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
file.write("process 77 on elsewhere")
file.flush()
print("held", flush=True)
time.sleep(60)
"""


def test_another_process_is_refused_until_it_ends(tmp_path):
    lock = train.Lock(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock"], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(train.RunInUseError, match=r"process 77 on elsewhere trains. Give another run_dir"):
            lock.on_train_begin()
        other.kill()
    lock.on_train_begin()
    lock.on_train_begin()  # as after a failed `fit`
    taken = [sys.executable, "-c", HOLD.replace("LOCK_EX", "LOCK_EX | fcntl.LOCK_NB"), tmp_path / "lock"]
    assert subprocess.run(taken, capture_output=True).returncode != 0
    lock.on_train_end()
    train.Lock(tmp_path).on_train_begin()


def test_another_thread_is_refused_while_it_lives(tmp_path):
    begun, ended = threading.Event(), threading.Event()

    def hold():
        train.Lock(tmp_path).on_train_begin()
        begun.set()
        ended.wait(60)

    other = threading.Thread(target=hold, name="other")
    other.start()
    begun.wait(60)
    try:
        with pytest.raises(train.RunInUseError, match="thread 'other' of this process"):
            train.Lock(tmp_path).on_train_begin()
    finally:
        ended.set()
        other.join()
    train.Lock(tmp_path).on_train_begin()
