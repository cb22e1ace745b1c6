"""Starts the scripts that need a process of their own, which cannot take this one down, nor outlive it."""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmkeras.unfinished import unfinished

_CHILD, _FRESH = (Path(__file__).with_name(name) for name in ("child.py", "fresh.py"))


def scratch():
    """A context: a folder for what a process is asked and answers; those of a process that was killed are removed."""
    return unfinished(".mmkeras-unfinished-", tempfile.gettempdir())


def start(script, request, answer, timeout=float("inf"), watch=None):
    """Runs a script in a new process without GPUs, and waits for it.

    Args:
        script: its path.
        request, answer: paths, its arguments.
        timeout: seconds until the process is killed.
        watch: function that is called now and then.

    Returns:
        (exit status, what it wrote to standard error); a negative status is the signal that ended it.

    Raises:
        TimeoutError: it took longer.
    """
    script = Path(script)
    # -P: without it the folder of the script comes first on the path, and its files stand before packages.
    arguments = [str(os.getpid()), str(script), str(request), str(answer)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    ends_with_us, held = os.pipe()
    pipes = {"stdin": ends_with_us, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    try:
        with subprocess.Popen([sys.executable, "-P", str(_CHILD), *arguments], env=environment, **pipes) as process:
            said = _last_words(process, timeout, watch or (lambda: None))
    finally:
        os.close(ends_with_us)
        os.close(held)
    if said is None:
        raise TimeoutError(
            f"{script.stem.capitalize()} must end in time. Received: {timeout:g} seconds without an "
            "end; it was killed, and nothing was written. Give a larger timeout=, or a smaller model."
        )
    return process.returncode, said


def _last_words(process, timeout, watch):
    """What the process said when it ended; None where it was killed."""
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


def run_fresh(path, ops, runs):
    """Loads the SavedModel in a new process, with tensorflow and tensorflow-text only and no GPU, and runs it.

    Args:
        path: folder of the SavedModel.
        ops: names of its ops.
        runs: list of (signature, dict of input arrays).

    Returns:
        Dict with "owners", op -> "tensorflow", "tensorflow-text" or None; and where each op has one, "outputs", a list
        of dicts of arrays, and "signatures", what the artefact says of its own names, shapes and dtypes.

    Raises:
        RuntimeError: the process failed; the end of what it said is in the message.
    """
    with scratch() as folder:
        request, answer = folder / "request", folder / "answer"
        request.write_bytes(pickle.dumps({"path": str(path), "ops": list(ops), "runs": runs}))
        code, said = start(_FRESH, request, answer)
        if code:
            raise RuntimeError(
                "The SavedModel must load and run in a process that holds tensorflow and tensorflow-text only. "
                f"Received: exit status {code}, and\n{said[-3000:]}"
            )
        return pickle.loads(answer.read_bytes())
