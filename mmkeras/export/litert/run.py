"""Runs .tflite files where no TensorFlow is; `run_files` starts this file in a process of its own, by its path.

    python -P run.py REQUEST ANSWER

REQUEST is a pickle, a list of (path, [{input name: array}]); ANSWER becomes one too, for each file a list of
{output name: array}, or the message of the error that it gave. TensorFlow must be out of reach: where it is imported,
its Flex kernels serve this interpreter too, and a file that fails on every device passes.
"""

import pickle
import sys


def main(request_path, answer_path):
    with open(request_path, "rb") as file:
        request = pickle.load(file)
    answer = [_answers(path, feeds) for path, feeds in request]
    with open(answer_path, "wb") as file:
        pickle.dump(answer, file)


def _answers(path, feeds):
    from ai_edge_litert.interpreter import Interpreter

    try:
        runner = Interpreter(model_path=path, num_threads=1).get_signature_runner()
        # Outputs are views of the interpreter's own memory, which the next call overwrites.
        return [{name: value.copy() for name, value in runner(**feed).items()} for feed in feeds]
    except (RuntimeError, ValueError) as error:
        return str(error)


if __name__ == "__main__":
    for package in ("tensorflow", "keras", "mmkeras"):
        sys.modules[package] = None  # from here on, importing it is an error
    main(*sys.argv[1:])
