"""Runs a script in a separate process that cannot crash this one and ends with it.

All scripts share one protocol: a script defines `answer(done, **request)`, and `BANNED`, packages that must not be
imported. It is run by `scripts/child.py` with three files: the pickled request, the pickled answer, and one that gets
a byte whenever the script calls `done()`.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmkeras.temporary_folder import temporary_folder

TIMEOUT = 900.0
SCRIPTS = Path(__file__).with_name("scripts")
# The new process is no worker. Ray Train sets the second one, which makes tensorflow-text look for tf-keras.
_OF_LAUNCHERS = ("TF_CONFIG", "TF_USE_LEGACY_KERAS")


class CrashError(RuntimeError):
    """A script that failed.

    Attributes:
        ending: how it ended, such as "a crash (SIGSEGV)" or "exit status 1".
        done: how often it had called `done()`.
        words: the end of what it wrote to standard error.
    """

    def __init__(self, ending, done, words):
        super().__init__(f"{ending}\n{words}")
        self.ending, self.done, self.words = ending, done, words


def ask(script, request, timeout=TIMEOUT, watch=None):
    """Runs a script in a new process without GPUs, and waits for its answer.

    Args:
        script: its path.
        request: dict, arguments of the script's `answer`.
        timeout: seconds until the process is killed.
        watch: function (how often the script has called `done()`), called now and then.

    Returns:
        What the script's `answer` returned.

    Raises:
        CrashError: the process crashed, or the script raised an error.
        TimeoutError: it took longer.
    """
    with scratch() as folder:
        files = [folder / name for name in ("request", "answer", "progress")]
        asked, answer, progress = files
        asked.write_bytes(pickle.dumps(request))
        progress.touch()
        watch = watch or (lambda done: None)
        code, words = _run(script, files, timeout, lambda: watch(progress.stat().st_size))
        if code:
            raise CrashError(_ending(code), progress.stat().st_size, words[-3000:])
        return pickle.loads(answer.read_bytes())


def scratch():
    """A context with a folder for requests and answers; folders of killed processes are removed."""
    return temporary_folder(".mmkeras-unfinished-", tempfile.gettempdir())


def _run(script, files, timeout, watch):
    """(exit status, standard error); a negative status is the signal that ended the process."""
    # Without -P, the script's folder would come first on the path, and its modules would shadow packages.
    command = [sys.executable, "-P", str(SCRIPTS / "child.py"), str(os.getpid()), str(script), *map(str, files)]
    environment = {name: value for name, value in os.environ.items() if name not in _OF_LAUNCHERS}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    ends_with_us, held = os.pipe()
    pipes = {"stdin": ends_with_us, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    try:
        with subprocess.Popen(command, env=environment, **pipes) as process:
            words = _last_words(process, timeout, watch)
    finally:
        os.close(ends_with_us)
        os.close(held)
    if words is None:
        raise TimeoutError(
            f"{Path(script).stem.capitalize()} must finish in time. Received: {timeout:g} seconds without a result; "
            "it was killed, and nothing was written. Give a larger timeout=, or a smaller model."
        )
    return process.returncode, words


def _last_words(process, timeout, watch):
    """The process' standard error; None if it was killed."""
    end = time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            try:
                return process.communicate(timeout=min(0.2, timeout))[1]
            except subprocess.TimeoutExpired:
                watch()
    except BaseException:
        process.kill()
        raise
    process.kill()
    return None


def _ending(code):
    """-11 -> 'a crash (SIGSEGV)'."""
    return f"a crash ({signal.Signals(-code).name})" if code < 0 else f"exit status {code}"
