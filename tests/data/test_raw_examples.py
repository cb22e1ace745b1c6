"""What all data sets of raw examples have in common, whatever they come from."""

import os
import threading

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.contract.raw_examples import RawExamples, columns_of
from mmkeras.data.sources.attempts import attempted

SPECS = [mm.Text("review"), mm.Table("row", numeric=["age"])]
HEADS = [mm.heads.classification("mood", ["bad", "good"])]
FRAME = pd.DataFrame({"review": ["fine", "poor", "nice"], "age": [1.0, 2.0, 3.0], "mood": ["good", "bad", "good"]})


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    table = mm.data.from_dataframe(FRAME, SPECS, HEADS, on_error="skip")
    pattern = tmp_path_factory.mktemp("shards") / "train-*.tfrecord"
    mm.data.write_tfrecord(table, SPECS, HEADS, pattern, verbose=False)
    plain = tf.data.Dataset.from_tensor_slices({name: FRAME[name].to_numpy() for name in FRAME})
    return {"table": table, "shards": mm.data.from_tfrecord(pattern, SPECS, HEADS, on_error="skip"),
            "stream": mm.data.from_dataset(plain, SPECS, HEADS, on_error="skip")}  # fmt: skip


@pytest.mark.parametrize("source", ["table", "shards", "stream"])
def test_they_know_what_they_are(sources, source):
    raw = sources[source]
    assert isinstance(raw, RawExamples) and isinstance(raw, tf.data.Dataset)
    assert (raw.specs, raw.heads, raw.on_error, list(raw.skipped), dict(raw.missing_labels)) == (
        SPECS, HEADS, "skip", [], {})  # fmt: skip
    assert list(raw.select(["age", "mood"]).element_spec) == ["age", "mood"]
    (batch,) = raw.select(["age"]).batches(4)
    np.testing.assert_array_equal(batch["age"], [1, 2, 3])
    np.testing.assert_array_equal(raw.columns(["mood"])["mood"], [1, 0, 1])


def test_of_other_data_sets_the_values_are_known(sources):
    plain = sources["table"].map(lambda example: example)
    assert not isinstance(plain, RawExamples)
    np.testing.assert_array_equal(columns_of(plain, ["mood"])["mood"], [1, 0, 1])


@pytest.mark.parametrize("source", ["table", "shards", "stream"])
def test_the_majority_is_that_of_the_labels(sources, source):
    found = mm.evaluate.majority_baseline(HEADS, sources[source])
    np.testing.assert_allclose(found["mood"], [1 / 3, 2 / 3])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core converts one file at a time")
def test_files_of_a_stream_are_converted_in_parallel_and_in_order():
    """Two conversions wait for each other: one at a time, each would wait for ever."""
    both = threading.Barrier(2, timeout=30)

    def convert(position, value):
        def meet(value):
            both.wait()
            return b"%d" % value

        return {"photo": tf.ensure_shape(tf.numpy_function(meet, [value], tf.string), ())}

    dataset = tf.data.Dataset.range(8)
    made = attempted(dataset, convert, {}, ["photo"], {}, {}, mark=True)
    assert [example["photo"] for example in made.as_numpy_iterator()] == [b"%d" % i for i in range(8)]
