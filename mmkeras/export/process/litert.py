"""Converts, quantises and runs LiteRT files in processes of their own."""

from pathlib import Path

from mmkeras.export.process.start import SCRIPTS, TIMEOUT, CrashError, ask


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
    jobs = [{key: value and str(value) for key, value in job.items()} for job in jobs]
    try:
        return ask(SCRIPTS / "convert.py", {"jobs": jobs}, timeout)
    except CrashError as error:
        job = jobs[min(error.done, len(jobs) - 1)]
        name = Path(job["path"]).name
        raise RuntimeError(
            f"The LiteRT converter must finish. Received: {error.ending} while converting '{name}' "
            f"with quantize={job['quantize']!r}. Nothing was written, and this process is not affected. Try "
            "quantize=None, then fixed_length=True; if both crash, leave out one branch "
            f"after the other to find the layer. The converter's last output:\n{error.words}"
        ) from error


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
    return _run(runs, 0, timeout)


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
    return _run([(path, [feed]) for path, feed in runs], calls, timeout)


def _run(runs, calls, timeout):
    try:
        request = {"runs": [(str(path), feeds) for path, feeds in runs], "calls": calls}
        return ask(SCRIPTS / "run.py", request, timeout)
    except CrashError as error:
        raise RuntimeError(
            "A LiteRT file must run in a process that holds ai-edge-litert and no TensorFlow. "
            f"Received: {error.ending}, and\n{error.words}"
        ) from error


def quantize_file(request, timeout=TIMEOUT, watch=None):
    """Quantises a .tflite to int8, in place, in a new process that holds no TensorFlow.

    Args:
        request: dict, arguments of `answer` in `scripts/quantize.py`.
        timeout: seconds until the process is killed.
        watch: function (number of feeds that were measured), called now and then.

    Returns:
        Dict, what `answer` returns.

    Raises:
        RuntimeError: the process crashed.
        TimeoutError: it took longer.
    """
    try:
        return ask(SCRIPTS / "quantize.py", request, timeout, watch)
    except CrashError as error:
        raise RuntimeError(
            f"The quantiser must finish. Received: {error.ending}. Nothing was written, and this process "
            f'is not affected. Give quantize="dynamic", which needs no examples. Its last output:\n{error.words}'
        ) from error
