"""Runs .tflite files without TensorFlow; `run_files` and `time_files` start it.

TensorFlow must not be imported: its Flex kernels would become available to the interpreter, and a file that fails on
every device would pass the check.
"""

import time

BANNED = ("tensorflow", "keras", "mmkeras")


def answer(done, runs, calls):
    """For each file its answers or its times, or the message of the error that it gave.

    Args:
        done: called after each file, or each round of calls.
        runs: list of (path, [{input name: array}]).
        calls: 0 for a list of {output name: array}; or for so many, the seconds that each call of the first feed took,
            leaving out one before them.
    """
    return _seconds(done, runs, calls) if calls else [_answers(done, *run) for run in runs]


def _runner(path):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=path, num_threads=1).get_signature_runner()


def _answers(done, path, feeds):
    try:
        runner = _runner(path)
        # Outputs are views of the interpreter's memory, which the next call overwrites.
        return [{name: value.copy() for name, value in runner(**feed).items()} for feed in feeds]
    except (RuntimeError, ValueError) as error:
        return str(error)
    finally:
        done()


def _seconds(done, runs, calls):
    """Times the files in turns, so that other load affects all of them equally."""
    seconds, runners = [[] for _ in runs], [None for _ in runs]
    for _ in range(calls + 1):
        for i, (path, feeds) in enumerate(runs):
            if isinstance(seconds[i], list):
                try:
                    runners[i] = runners[i] or _runner(path)
                    seconds[i].append(_timed(runners[i], feeds[0]))
                except (RuntimeError, ValueError) as error:
                    seconds[i] = str(error)
        done()
    # Drop the first call, which allocates memory.
    return [found if isinstance(found, str) else found[1:] for found in seconds]


def _timed(runner, feed):
    started = time.perf_counter()
    runner(**feed)
    return time.perf_counter() - started
