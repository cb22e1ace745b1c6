"""Does the artefact answer as Python does? Asked in a process that knows nothing of mmkeras."""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

_SCRIPT = Path(__file__).with_name("fresh.py")


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
    with tempfile.TemporaryDirectory() as folder:
        request, answer = Path(folder, "request"), Path(folder, "answer")
        request.write_bytes(pickle.dumps({"path": str(path), "ops": list(ops), "runs": runs}))
        # -P: without it the folder of the script comes first on the path, and its files stand before packages.
        command = [sys.executable, "-P", str(_SCRIPT), str(request), str(answer)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(
                "The SavedModel must load and run in a process that holds tensorflow and tensorflow-text only. "
                f"Received: exit status {done.returncode}, and\n{done.stderr[-3000:]}"
            )
        return pickle.loads(answer.read_bytes())


def difference(received, expected):
    """How far two sets of named answers are apart.

    Args:
        received, expected: dicts of arrays.

    Returns:
        Dict, name -> largest absolute difference of numbers, over the largest absolute expected number where that
        exceeds 1 (a price of 300,000 in float32 has no fifth decimal); of strings, 0 or infinity.

    >>> difference({"a": np.array([0.5])}, {"a": np.array([0.25])})
    {'a': 0.25}
    """
    if set(received) != set(expected):
        raise ValueError(f"The answers must bear the heads' names {sorted(expected)}. Received: {sorted(received)}.")
    return {key: _distance(np.asarray(received[key]), np.asarray(expected[key])) for key in expected}


def _distance(received, expected):
    if received.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(received, expected) else float("inf")
    if not expected.size:
        return 0.0
    expected = expected.astype("float64")
    return float(np.max(np.abs(received - expected)) / max(1.0, np.max(np.abs(expected))))


def check_differences(differences, tolerance):
    """Raises ValueError where a run's answers differ by more than `tolerance`, or are no numbers.

    Args:
        differences: dict, run -> dict of `difference`.
        tolerance: largest difference allowed; strings must be equal.
    """
    far = {
        f"{run}: {key}": value
        for run, answers in differences.items()
        for key, value in answers.items()
        if not value <= tolerance  # NaN is not, either
    }
    if far:
        raise ValueError(
            f"The exported model must answer as the Python model does, within tolerance={tolerance}. Received "
            f"differences {far}. With mixed precision, or a GPU here, give a larger tolerance= if this is rounding."
        )
