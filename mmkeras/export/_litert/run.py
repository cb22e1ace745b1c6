"""Runs .tflite files where no TensorFlow is; `run_files` and `time_files` start this file in a process of its own.

    python -P run.py REQUEST ANSWER

REQUEST is a pickle, (list of (path, [{input name: array}]), calls); ANSWER becomes one too, for each file a list of
{output name: array}, or, where calls > 0, of the seconds that so many calls of its first feed took, but the very first;
or the message of the error that it gave. TensorFlow must be out of reach: where it is imported, its Flex kernels serve
this interpreter too, and a file that fails on every device passes.
"""

import pickle
import sys
import time


def main(request_path, answer_path):
    with open(request_path, "rb") as file:
        runs, calls = pickle.load(file)
    answer = _seconds(runs, calls) if calls else [_answers(*run) for run in runs]
    with open(answer_path, "wb") as file:
        pickle.dump(answer, file)


def _runner(path):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=path, num_threads=1).get_signature_runner()


def _answers(path, feeds):
    try:
        runner = _runner(path)
        # Outputs are views of the interpreter's own memory, which the next call overwrites.
        return [{name: value.copy() for name, value in runner(**feed).items()} for feed in feeds]
    except (RuntimeError, ValueError) as error:
        return str(error)


def _seconds(runs, calls):
    """Round after round, so that a busy machine disturbs all files alike."""
    seconds, runners = [[] for _ in runs], [None for _ in runs]
    for _ in range(calls + 1):
        for i, (path, feeds) in enumerate(runs):
            if isinstance(seconds[i], list):
                try:
                    runners[i] = runners[i] or _runner(path)
                    seconds[i].append(_timed(runners[i], feeds[0]))
                except (RuntimeError, ValueError) as error:
                    seconds[i] = str(error)
    return [found if isinstance(found, str) else found[1:] for found in seconds]  # the first one allocates


def _timed(runner, feed):
    started = time.perf_counter()
    runner(**feed)
    return time.perf_counter() - started


if __name__ == "__main__":
    for package in ("tensorflow", "keras", "mmkeras"):
        sys.modules[package] = None  # from here on, importing it is an error
    main(*sys.argv[1:])
