"""Functions that TensorFlow does not optimise give what those of `tf.data` give."""

import gc

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.data.unoptimised import Unoptimised, inlined, interleave_unoptimised, map_unoptimised

NUMBERS = tf.data.Dataset.range(5)


def values(dataset):
    return list(dataset.as_numpy_iterator())


def twice(number):
    return {"number": number, "square": number * number}


def repeated(number):
    one = tf.data.Dataset.from_tensors(number).repeat(2)
    return one.map(lambda n: (n, tf.experimental.Optional.from_value(n)))


def test_map_gives_the_same_elements():
    made = map_unoptimised(NUMBERS, twice)
    assert isinstance(made, Unoptimised) and values(made) == values(NUMBERS.map(twice))
    assert made.element_spec == NUMBERS.map(twice).element_spec and made.cardinality() == 5
    pairs = tf.data.Dataset.zip(NUMBERS, NUMBERS)
    assert values(map_unoptimised(pairs, lambda a, b: (a + b, a))) == values(pairs.map(lambda a, b: (a + b, a)))


def test_interleave_keeps_its_order():
    made = interleave_unoptimised(NUMBERS, repeated, 2)
    expected = NUMBERS.interleave(repeated, 2, 1, num_parallel_calls=2, deterministic=True)
    assert isinstance(made, Unoptimised) and made.element_spec == expected.element_spec
    assert [int(n) for n, _ in made] == [int(n) for n, _ in expected] == [0, 1, 0, 1, 2, 3, 2, 3, 4, 4]


def function_of(dataset):
    graph = tf.compat.v1.GraphDef.FromString(dataset._as_serialized_graph().numpy())
    return [each for each in graph.library.function if each.attr["experimental_ints_on_device"].b]


def test_the_function_is_marked():
    assert len(function_of(map_unoptimised(NUMBERS, twice))) == 1 and not function_of(NUMBERS.map(twice))


def test_what_a_function_refers_to_lives_as_long_as_the_data_set():
    def made():
        with tf.device("CPU:0"):
            table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer([0, 1], [7, 8], tf.int64, tf.int64), -1
            )
            start = tf.Variable(3, dtype=tf.int64)
        source = NUMBERS.map(lambda number: number + start)
        return map_unoptimised(source, lambda number: table.lookup(number - 3)).map(lambda number: number + 1)

    dataset = made()
    gc.collect()
    assert values(dataset) == [8, 9, 0, 0, 0]


@pytest.mark.parametrize("within", [False, True])
def test_variables_of_another_device_are_read_by_an_ordinary_map(within):
    with tf.device("CPU:1"):
        far = tf.Variable(10, dtype=tf.int64)
    kinds = []

    def mapped(dataset):
        made = map_unoptimised(dataset, lambda number: number + far)
        kinds.append(type(made))
        return made

    def inner(number):
        return mapped(tf.data.Dataset.from_tensors(number))

    made = interleave_unoptimised(NUMBERS, inner, 2) if within else mapped(NUMBERS)
    assert values(made) == [10, 11, 12, 13, 14] and Unoptimised not in [type(made), *kinds]


def test_a_traced_function_is_inlined_with_its_checks():
    state = tf.Variable(1.0)

    @tf.function(input_signature=[{"x": tf.TensorSpec([None], tf.float32), "a": tf.TensorSpec([], tf.float32)}])
    def traced(inputs):
        tf.debugging.assert_non_negative(inputs["x"], message="negative")
        return {"y": inputs["x"] * state, "z": [inputs["a"]]}

    @tf.function
    def outer(x):
        return inlined(traced, {"x": x, "a": tf.constant(5.0)})

    x = np.array([1.0, 2.0], "float32")
    assert outer(x)["y"].numpy().tolist() == [1, 2] and float(outer(x)["z"][0]) == 5
    calls = [op.type for op in outer.get_concrete_function(x).graph.get_operations()]
    assert not any("Call" in each for each in calls)
    state.assign(2.0)
    assert outer(x)["y"].numpy().tolist() == [2, 4]
    with pytest.raises(tf.errors.InvalidArgumentError, match="negative"):
        outer(-x)
    assert inlined(lambda inputs: inputs["x"], {"x": 3}) == 3
