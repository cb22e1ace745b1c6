"""What goes wrong is said, and leaves nothing behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export import litert
from mmkeras.export._litert.convert.faults import check_converted, layer_of
from mmkeras.export._litert.convert.trace import Form, write_traced
from mmkeras.export._litert.verify.check import described, differences
from mmkeras.export._litert.verify.flatbuffer import check_builtin, used_ops
from mmkeras.export.process import litert as process


class Incomplete(keras.layers.Layer):
    def call(self, x):
        return tf.math.betainc(2.0 + 0 * x, 3.0 + 0 * x, tf.sigmoid(x))


def export(parts, path, **options):
    preprocess, model, heads = parts
    return litert(preprocess, model, path, heads=heads, **options)


@pytest.fixture
def small():
    """preprocess, model and heads without anything that needs adapting; the layer between is given."""

    def build(layer):
        number, row = keras.Input((), name="number"), keras.Input((1,), name="row")
        head = mm.heads.regression("price", mean=0.0, std=1.0)
        preprocess = keras.Model({"number": number}, {"row": keras.layers.Reshape((1,))(number)})
        return preprocess, keras.Model({"row": row}, {"price": head.output(layer(row))}), [head]

    return build


SAMPLES = {"number": [1.0, 2.0]}


def test_an_op_that_is_not_builtin_is_named_with_its_layer(small, tmp_path):
    parts = small(Incomplete(name="odd"))
    with pytest.raises(ValueError, match=r"(?s)builtin ops only.*Betainc, from layer 'odd' \("):
        export(parts, tmp_path / "new" / "prices.tflite", samples=SAMPLES, verbose=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments, error, message", [
    ({"quantize": "int8"}, ValueError, "representative=None.*representative=raw"),
    ({"quantize": "int4"}, ValueError, "quantize must be one of .*'int4'"),
    ({"batch_size": 0}, ValueError, "batch_size must be a whole number"),
    ({"n_samples": 0}, ValueError, "n_samples must be a whole number above 0. Received: 0"),
    ({"recurrent": "looped"}, ValueError, "recurrent must be"),
    ({"waveform": "int8"}, ValueError, "waveform must be"),
    ({"saved_model": "~/prices/1"}, ValueError, "saved_model must be a version .*Received: '/.*/prices/1'"),
    ({"samples": {"numbr": [1.0]}}, ValueError, "Missing: .*'number'"),
    ({"path": "prices.lite"}, ValueError, r"must end in \.tflite.*prices\.tflite"),
])  # fmt: skip
def test_wrong_arguments_cost_no_conversion(small, tmp_path, arguments, error, message):
    arguments = {"path": "prices.tflite", "samples": SAMPLES} | arguments
    with pytest.raises(error, match=message):
        export(small(keras.layers.Dense(2)), **arguments | {"path": tmp_path / arguments["path"]})
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_kept(small, tmp_path):
    path = tmp_path / "prices.tflite"
    path.write_text("older")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        export(small(keras.layers.Dense(2)), path, samples=SAMPLES)
    assert path.read_text() == "older"


def test_a_head_of_another_model_is_refused(small, tmp_path):
    preprocess, model, _ = small(keras.layers.Dense(2))
    with pytest.raises(ValueError, match="one output for each head"):
        litert(preprocess, model, tmp_path / "x.tflite", heads=[mm.heads.regression("cost")], samples=SAMPLES)


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Function (code): what `convert.py` and `run.py` do from now on."""

    def write(code):
        for name in ("convert.py", "run.py"):
            tmp_path.joinpath(name).write_text(code)
        monkeypatch.setattr(process, "SCRIPTS", tmp_path)

    return write


JOB = {"saved_model": "x", "path": "x.tflite", "quantize": "dynamic"}


def test_a_crash_of_the_converter_becomes_an_error(script):
    script("import os, sys; print('last words', file=sys.stderr, flush=True); os.abort()")
    with pytest.raises(RuntimeError, match=r"(?s)SIGABRT.*'x\.tflite'.*quantize='dynamic'.*Try.*last words"):
        process.convert_files([JOB])
    with pytest.raises(RuntimeError, match="(?s)SIGABRT.*last words"):
        process.run_files([("x.tflite", [])])


def test_a_conversion_without_end_is_killed(script):
    script("import time; time.sleep(60)")
    with pytest.raises(TimeoutError, match="0.2 seconds.*killed.*timeout="):
        process.convert_files([JOB], timeout=0.2)


def test_a_crash_leaves_nothing_behind(small, tmp_path, tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("scripts")
    folder.joinpath("convert.py").write_text("import os; os.abort()")
    monkeypatch.setattr(process, "SCRIPTS", folder)
    with pytest.raises(RuntimeError, match="SIGABRT"):
        export(small(keras.layers.Dense(2)), tmp_path / "new" / "x.tflite", samples=SAMPLES, verbose=False)
    assert not list(tmp_path.iterdir())


def in_process(path, function, *specs, **options):
    """Converts here, where TensorFlow is loaded anyway."""
    function = tf.function(function, input_signature=specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], tf.Module())
    for name, value in options.items():
        setattr(converter.target_spec, name, value)
    path.write_bytes(converter.convert())
    return path


def test_a_flex_op_is_seen_in_the_file_and_fails_without_tensorflow(tmp_path):
    ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    spec = tf.TensorSpec((1,), tf.string, name="x")
    path = in_process(tmp_path / "flex.tflite", lambda x: {"y": tf.strings.lower(x)}, spec, supported_ops=ops)
    assert list(used_ops(path)) == ["FlexStringLower"]
    with pytest.raises(ValueError, match="(?s)builtin ops only.*FlexStringLower, from "):
        check_builtin(used_ops(path))
    with pytest.raises(RuntimeError, match="(?is)holds no TensorFlow. Received: .*flex"):
        differences(path, None, [], [{"x": np.array([b"A"], object)}], 1, Form(), {}, 60)


def test_a_file_of_other_names_is_refused(small, tmp_path):
    _, model, _ = small(keras.layers.Dense(2))
    path = in_process(tmp_path / "x.tflite", lambda x: {"y": x + 1.0}, tf.TensorSpec((1, 2), tf.float32, name="x"))
    with pytest.raises((RuntimeError, ValueError), match="signature|inputs must be those of the model"):
        described(path, model, Form())


def test_answers_beyond_the_tolerance_fail(small, tmp_path, monkeypatch):
    _, model, _ = small(keras.layers.Dense(2))
    heads = [mm.heads.regression("price", mean=0.0, std=2.0)]
    answers = [[{"price": np.full((1, 1), 7.0)}] * 2]
    monkeypatch.setitem(differences.__globals__, "run_files", lambda runs, timeout: answers)
    feeds, allowed = [{"row": np.zeros((1, 1), "float32")}] * 2, {"tolerance": 0.1, "half": False}
    said = r"x\.tflite: price: largest difference 3\.5 standard deviations \(7 in the unit of the label\), allowed 0\.1"
    with pytest.raises(ValueError, match=said):
        differences(tmp_path / "x.tflite", model, heads, feeds, 1, Form(), allowed, 60)
    answers[0][0]["price"][:] = np.nan
    with pytest.raises(ValueError, match="difference nan"):
        differences(tmp_path / "x.tflite", model, heads, feeds, 1, Form(), allowed, 60)


def test_a_fixed_batch_of_the_model_counts(tmp_path):
    x = keras.Input(batch_shape=(4, 2), name="x")
    with pytest.raises(ValueError, match="fixed batch of 4.*Give batch_size=4"):
        write_traced(keras.Model({"x": x}, keras.layers.Dense(1)(x)), tmp_path / "x")


def test_a_length_that_a_layer_must_know_is_named(tmp_path):
    ids = keras.Input((None, 2), name="ids")
    model = keras.Model({"ids": ids}, keras.layers.LSTM(2, unroll=True)(ids))
    with pytest.raises(ValueError, match=r"(?s)length of \['ids'\]: give fixed_length=True"):
        write_traced(model, tmp_path / "x")
    write_traced(model, tmp_path / "fixed", Form(lengths={"ids": 3}))


def test_other_messages_of_the_converter_are_handed_on(small):
    _, model, _ = small(keras.layers.Dense(2))
    check_converted({"seconds": 1.0}, model)
    with pytest.raises(ValueError, match=r"(?s)The length of \['ids'\] is free.*fixed_length=True.*no such thing"):
        check_converted({"error": "no such thing"}, model, {"ids": [1, None], "row": [1, 1]})


def test_layer_of_prefers_the_innermost():
    assert layer_of("outer_1/inner_2_1/cell/MatMul", {"outer", "inner_2"}).startswith("layer 'inner_2' ")
    assert layer_of("somewhere/MatMul", {"outer"}) == "somewhere/MatMul"


def test_waveforms_in_int16_lose_nothing_that_a_file_of_16_bits_had():
    form, ready = Form(pcm=("wave",)), {"wave": np.array([[0.5, -1.0, 1.0, 0.0]], "float32")}
    fed = form.fed(ready)
    assert fed["wave"].dtype == "int16" and fed["wave"].tolist() == [[16384, -32768, 32767, 0]]
    np.testing.assert_allclose(form.ready(fed)["wave"], [[0.5, -1.0, 32767 / 32768, 0.0]])
