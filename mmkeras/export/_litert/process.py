"""Starts `convert.py`, `quantize.py` and `run.py` in processes of their own."""

import json
import pickle
import signal
from pathlib import Path

from mmkeras.export.process import scratch, start

TIMEOUT = 900.0
_FOLDER = Path(__file__).parent
_FOLDERS = [str(_FOLDER), str(_FOLDER.parent)]  # where `plan.py` and `distance.py` lie


def convert_files(jobs, timeout=TIMEOUT):
    """Converts SavedModels to .tflite in a new process without GPUs.

    Args:
        jobs: list of {"saved_model", "path", "quantize"}, paths and None, "dynamic" or "float16".
        timeout: seconds until the process is killed.

    Returns:
        List with {"seconds"} or {"error"}, the converter's own message, for each job.

    Raises:
        RuntimeError: the converter crashed.
        TimeoutError: it took longer.
    """
    with scratch() as folder:
        request, answer = folder / "request", folder / "answer"
        request.write_text(json.dumps([{key: value and str(value) for key, value in job.items()} for job in jobs]))
        answer.touch()
        code, said = _start("convert.py", request, answer, timeout)
        lines = answer.read_text().splitlines()
        if code:
            name = Path(jobs[len(lines)]["path"]).name if len(lines) < len(jobs) else "the last file"
            raise RuntimeError(
                f"The LiteRT converter must come to its end. Received: {_ending(code)} while converting '{name}' "
                f"with quantize={jobs[min(len(lines), len(jobs) - 1)]['quantize']!r}. Nothing was written, and this "
                "process is unharmed. Try quantize=None, then fixed_length=True; if both crash, leave out one branch "
                f"after the other to find the layer. The converter's last words:\n{said[-2000:]}"
            )
        return [json.loads(line) for line in lines]


def run_files(runs, timeout=TIMEOUT):
    """Runs .tflite files in a new process that holds no TensorFlow.

    Args:
        runs: list of (path, list of {input name: array}); each file answers its feeds in their order.
        timeout: seconds until the process is killed.

    Returns:
        For each file a list of {output name: array}, or the message of the error that it gave.

    Raises:
        RuntimeError: the process crashed.
        TimeoutError: it took longer.
    """
    return _ask(runs, 0, timeout)


def time_files(runs, calls, timeout=TIMEOUT):
    """Times .tflite files in a new process that holds no TensorFlow, one after the other in each round.

    Args:
        runs: list of (path, {input name: array}).
        calls: how often each is called.
        timeout: seconds until the process is killed.

    Returns:
        For each file the seconds of every call but the first, or the message of the error that it gave.

    Raises:
        RuntimeError: the process crashed.
        TimeoutError: it took longer.
    """
    return _ask([(path, [feed]) for path, feed in runs], calls, timeout)


def _ask(runs, calls, timeout):
    with scratch() as folder:
        request, answer = folder / "request", folder / "answer"
        request.write_bytes(pickle.dumps(([(str(path), feeds) for path, feeds in runs], calls)))
        code, said = _start("run.py", request, answer, timeout)
        if code:
            raise RuntimeError(
                "A LiteRT file must run in a process that holds ai-edge-litert and no TensorFlow. "
                f"Received: {_ending(code)}, and\n{said[-2000:]}"
            )
        return pickle.loads(answer.read_bytes())


def quantize_file(request, timeout=TIMEOUT, watch=None):
    """Quantises a .tflite to int8, in place, in a new process that holds no TensorFlow.

    Args:
        request: dict, arguments of `quantize.quantize` but the last two.
        timeout: seconds until the process is killed.
        watch: function (number of feeds that were measured), called now and then.

    Returns:
        Dict of `quantize.quantize`.

    Raises:
        RuntimeError: the process crashed.
        TimeoutError: it took longer.
    """
    with scratch() as folder:
        ask, answer, progress = (folder / name for name in ("request", "answer", "progress"))
        progress.touch()
        ask.write_bytes(pickle.dumps(request | {"folders": _FOLDERS, "progress": str(progress)}))
        code, said = _start("quantize.py", ask, answer, timeout, watch and (lambda: watch(progress.stat().st_size)))
        if code:
            raise RuntimeError(
                f"The quantiser must come to its end. Received: {_ending(code)}. Nothing was written, and this process "
                f'is unharmed. Give quantize="dynamic", which needs no examples. Its last words:\n{said[-2000:]}'
            )
        return pickle.loads(answer.read_bytes())


def _start(script, request, answer, timeout, watch=None):
    return start(_FOLDER / script, request, answer, timeout, watch)


def _ending(code):
    """-11 -> 'a crash (SIGSEGV)'."""
    return f"a crash ({signal.Signals(-code).name})" if code < 0 else f"exit status {code}"
