"""A LiteRT file of it holds builtin ops only and, where no TensorFlow is, computes the same for every length and mask.

All cases go through one process that converts and one that runs: each of them takes seconds to start.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from ai_edge_litert.compiled_model import CompiledModel

from mmkeras.export._litert.convert.trace import named, write_traced
from mmkeras.export._litert.verify.flatbuffer import check_builtin, used_ops
from mmkeras.export.process.litert import convert_files, run_files


def test_every_case_converts_and_computes_the_same(cases, tmp_path):
    jobs, feeds, expected = {}, {}, {}
    for name, case in cases.items():
        model = case.build()
        write_traced(model, tmp_path / name)
        jobs[name] = {"saved_model": tmp_path / name, "path": tmp_path / f"{name}.tflite", "quantize": None}
        feeds[name] = [*_rows(case.feed(model)), *_rows(dataclasses.replace(case, length=3).feed(model, seed=1))]
        expected[name] = [_answer(model, feed) for feed in feeds[name]]
    problems = dict(zip(jobs, (answer.get("error") for answer in convert_files(list(jobs.values()))), strict=True))
    converted = [name for name in jobs if not problems[name]]
    answers = run_files([(jobs[name]["path"], feeds[name]) for name in converted])
    for name, answer in zip(converted, answers, strict=True):
        problems[name] = _problem(jobs[name]["path"], answer, expected[name])
    assert {name: problem for name, problem in problems.items() if problem} == {}


def _rows(feed):
    """Batches of one: a full, a half and an empty mask."""
    return [{key: value[row : row + 1] for key, value in feed.items()} for row in range(3)]


def _answer(model, feed):
    outputs = model({key: tf.constant(value) for key, value in feed.items()}, training=False)
    return {key: np.asarray(value) for key, value in named(outputs).items()}


def _problem(path, answers, expected):
    if isinstance(answers, str):
        return answers
    try:
        check_builtin(used_ops(path))
        CompiledModel.from_file(str(path))
        for answer, wanted in zip(answers, expected, strict=True):
            assert set(answer) == set(wanted)
            for key, value in wanted.items():
                assert answer[key].dtype == value.dtype
                np.testing.assert_allclose(answer[key], value, atol=1e-5, rtol=1e-5)
    except (AssertionError, RuntimeError, ValueError) as error:
        return str(error)
    return None
