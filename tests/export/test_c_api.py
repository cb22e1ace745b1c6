"""A program in C asks the SavedModel through TensorFlow's C API: neither Python nor this package is needed."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text
from tensorflow.core.protobuf import saved_model_pb2

WHEEL = Path(tf.__file__).parent
LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]


@pytest.mark.skipif(
    not shutil.which("gcc") or not (WHEEL / LIBRARIES[0]).is_file(), reason="needs gcc and Linux wheels"
)
def test_a_c_program_gets_the_same_answers(exported, raw, tmp_path):
    program = tmp_path / "ask"
    options = [f"-I{WHEEL / 'include'}", f"-L{WHEEL}", f"-Wl,-rpath,{WHEEL}", *(f"-l:{each}" for each in LIBRARIES)]
    subprocess.run(["gcc", Path(__file__).with_name("ask.c"), "-o", program, *options], check=True)
    graph = saved_model_pb2.SavedModel.FromString((exported.path / "saved_model.pb").read_bytes()).meta_graphs[0]
    signature = graph.signature_def["serving_default"]
    feeds = []
    for name, info in signature.inputs.items():
        value = raw[name][0]
        is_float = info.dtype == tf.float32.as_datatype_enum
        content = np.float32(value).tobytes() if is_float else value.encode() if isinstance(value, str) else value
        (tmp_path / name).write_bytes(content)
        feeds += [info.name, "float" if is_float else "string", tmp_path / name]
    folder = Path(tensorflow_text.__file__).parent / "python" / "ops"
    ops = ":".join(str(next(folder.glob(f"*{name}*.so"))) for name in ("normalize_ops", "fast_wordpiece"))
    outputs = [info.name for info in signature.outputs.values()]
    done = subprocess.run([program, exported.path, ops, *outputs, "--", *feeds], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = dict(zip(signature.outputs, done.stdout.splitlines(), strict=True))
    asked = {name: tf.constant([raw[name][0]], tf.as_dtype(info.dtype)) for name, info in signature.inputs.items()}
    for name, wanted in exported.loaded.signatures["serving_default"](**asked).items():
        found = answers[name].split("\t")
        if wanted.dtype == tf.string:
            assert found == [text.decode() for text in wanted.numpy().ravel()]
        else:
            np.testing.assert_allclose(np.array(found, "float32"), wanted.numpy().ravel(), rtol=1e-6)
