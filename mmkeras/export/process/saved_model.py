"""Loads and runs SavedModels in a process of its own."""

from mmkeras.export.process.start import SCRIPTS, TIMEOUT, CrashError, ask


def run_fresh(path, ops, runs, timeout=TIMEOUT):
    """Loads the SavedModel in a new process, with tensorflow and tensorflow-text only and no GPU, and runs it.

    Args:
        path: folder of the SavedModel.
        ops: names of its ops.
        runs: list of (signature, dict of input arrays).
        timeout: seconds until the process is killed.

    Returns:
        Dict with "owners", op -> "tensorflow", "tensorflow-text" or None; and where each op has one, "outputs", a list
        of dicts of arrays, and "signatures", what the artefact says of its own names, shapes and dtypes.

    Raises:
        RuntimeError: the process failed; the end of what it said is in the message.
        TimeoutError: it took longer.
    """
    try:
        return ask(SCRIPTS / "fresh.py", {"path": str(path), "ops": list(ops), "runs": runs}, timeout)
    except CrashError as error:
        raise RuntimeError(
            "The SavedModel must load and run in a process that holds tensorflow and tensorflow-text only. "
            f"Received: {error.ending}, and\n{error.words}"
        ) from error
