"""Faults that are told: the same as the errors, and no example changes what the others become."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.preprocess import RawLayer, faults
from tests.fuzz import clips, pictures, sounds, texts
from tests.fuzz.mutation import mutate

SPECS = {
    "photo": mm.Image("photo", size=(12, 16), optional=True),
    "voice": mm.Audio("voice", seconds=0.05, sample_rate=8000, optional=True),
    "clip": mm.Video("clip", frames=3, size=(8, 8), optional=True),
    "note": mm.Text("note", max_tokens=8, vocabulary=("a", "b", "hello")),
}


def pair(spec):
    """The preprocess as a graph whose faults are errors, and as one that tells them."""
    preprocess = mm.preprocessor([spec])
    signature = [{spec.name: tf.TensorSpec([None], tf.string)}]

    @tf.function(input_signature=signature, autograph=False)
    def telling(raw):
        with faults.told() as found:
            ready = preprocess(raw)
        return ready, found.of(spec.name)

    return tf.function(preprocess, input_signature=signature, autograph=False), telling


def files(name, rng, count):
    """Damaged files of every kind, and every tenth one whole."""
    rooms = {"photo": pictures, "voice": sounds, "clip": clips, "note": texts}
    whole = list(rooms[name].samples(rng).values())
    if name == "clip":
        gifs = [file for file in pictures.samples(rng).values() if file[:3] == b"GIF"]
        whole += gifs
    chosen = [whole[i % len(whole)] for i in range(count)]
    return [file if i % 10 == 0 else mutate(file, rng) for i, file in enumerate(chosen)]


@pytest.mark.parametrize("name", SPECS)
def test_damaged_files_fail_alone_and_as_they_do_by_themselves(name):
    raising, telling = pair(SPECS[name])
    damaged = files(name, np.random.default_rng(0), 128)
    refused = 0
    for start in range(0, len(damaged), 32):
        batch = damaged[start : start + 32]
        ready, texts_told = telling({name: tf.constant(batch)})
        for i, file in enumerate(batch):
            said = texts_told[i].numpy().decode()
            try:
                alone = raising({name: tf.constant([file])})
            except tf.errors.OpError:
                assert said.startswith(f"{name}: ") and " Received: " in said, (file[:40], said)
                refused += 1
                continue
            assert said == "", (file[:40], said)
            for key, tensor in alone.items():
                np.testing.assert_array_equal(ready[key][i], tensor[0], err_msg=f"{key} of {file[:40]}")
    assert 20 < refused < 120


def test_each_goes_on_after_an_example_that_fails():
    def inverse(x):
        with tf.control_dependencies([tf.debugging.Assert(x != 0, ["zero"])]):
            return 1 / x, tf.cast(x, tf.int32)

    result = tf.TensorSpec((), tf.float32), tf.TensorSpec((), tf.int32)
    numbers = tf.constant([0.0, 2.0, 0.0, 4.0])
    with faults.told():
        (inverses, whole), failed = faults.each(inverse, numbers, result)
        (none, _), nothing = faults.each(inverse, numbers[:0], result)
    assert inverses.numpy().tolist() == [0.0, 0.5, 0.0, 0.25] and whole.numpy().tolist() == [0, 2, 0, 4]
    assert failed.numpy().tolist() == [True, False, True, False] and len(none) == len(nothing) == 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="zero"):
        faults.each(inverse, numbers, result)


def test_the_first_fault_of_an_example_counts():
    found = faults.Faults()
    assert found.of("row") is None
    found.add("row, column 'city'", tf.constant(["", "a", ""]))
    found.add("rows", tf.constant(["x", "x", "x"]))
    found.add("row", tf.constant(["b", "c", ""]))
    assert found.of("row").numpy().tolist() == [b"b", b"a", b""]


class Halved(RawLayer):
    """Numbers (B,), of which none may be odd, halved; their mask."""

    def call(self, x):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x % 2 == 0), ["odd", x])]):
            return x[:, None] / 2, tf.expand_dims(x > 0, 1)

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], 1)), keras.KerasTensor((x.shape[0], 1), "bool")


def test_a_layer_that_does_not_tell_is_called_with_one_example_at_a_time():
    number = keras.Input((), name="number")
    half, mask = Halved(name="number_preprocess")(number)
    preprocess = keras.Model({"number": number}, {"number": half, "number_mask": mask})

    @tf.function(autograph=False)
    def telling(numbers):
        with faults.told() as found:
            ready = preprocess({"number": numbers})
        return ready, found.of("number")

    ready, told = telling(tf.constant([2.0, 3.0, 0.0]))
    assert told.numpy().tolist() == [b"", b"number: the value cannot be used.", b""]
    assert ready["number"].numpy().tolist() == [[1.0], [0.0], [0.0]]
    assert ready["number_mask"].numpy().tolist() == [[True], [False], [False]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="odd"):
        preprocess({"number": tf.constant([2.0, 3.0])})
