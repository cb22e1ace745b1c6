"""Runs a script for `start.ask`, and ends with the process that started it, also where that one is killed.

    python -P child.py PARENT SCRIPT REQUEST ANSWER PROGRESS

PARENT is the id of that process; standard input is a pipe that it holds open. Both a signal and the pipe are used: the
signal of the parent's death exists on Linux only, and the thread that waits for the end of the pipe is blocked while a
converter holds the interpreter lock.
"""

import ctypes
import os
import pickle
import runpy
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent, script, request_path, answer_path, progress_path):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # the parent ended before prctl was called
            os._exit(1)
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    given = runpy.run_path(script)
    for package in given["BANNED"]:
        sys.modules[package] = None  # makes any later import of the package fail
    with open(request_path, "rb") as file:
        request = pickle.load(file)
    answer = given["answer"](lambda: _add_a_byte(progress_path), **request)
    with open(answer_path, "wb") as file:
        pickle.dump(answer, file)


def _add_a_byte(path):
    with open(path, "ab") as file:
        file.write(b".")


def _end_with_the_pipe():
    os.read(0, 1)  # nothing is ever written to it, so this returns when the parent closes it
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
