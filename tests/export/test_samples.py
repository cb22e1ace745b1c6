import numpy as np
import pytest
import tensorflow as tf

from mmkeras.export.samples import optional_names, raw_samples


def test_the_first_examples_and_one_without_the_optional_ones(parts, raw):
    for samples in (raw, tf.data.Dataset.from_tensor_slices(raw)):
        arrays = raw_samples(parts.preprocess, samples)
        assert set(arrays) == {"review", "note", "photo", "voice", "price", "city"}
        assert {len(array) for array in arrays.values()} == {5}
        assert arrays["photo"].tolist() == [*raw["photo"], b""] and arrays["voice"][-1] == b""
        assert arrays["review"][-1] == b"good day" and arrays["price"][-1] == 1.0
        assert arrays["price"].dtype == "float32"


def test_what_may_be_absent(parts):
    assert optional_names(parts.preprocess) == ["note", "photo", "voice"]
    assert set(optional_names(parts.preprocess, cells=True)) == {"note", "photo", "voice", "price", "city"}


def test_made_up_examples_pass_the_preprocessing(parts):
    ready = parts.preprocess({key: tf.constant(value) for key, value in raw_samples(parts.preprocess).items()})
    assert np.asarray(ready["voice_mask"]).any(axis=1).tolist() == [True, True, False]
    assert np.asarray(ready["photo"])[:2].std() > 10


def test_pairs_with_labels_are_refused(parts, raw):
    pairs = tf.data.Dataset.from_tensor_slices((raw, [0, 1, 0, 1]))
    with pytest.raises(ValueError, match=r"flat dicts. Received: tuples of 2. Leave out the labels: samples.map"):
        raw_samples(parts.preprocess, pairs)


def test_a_missing_column_is_named(parts, raw):
    with pytest.raises(ValueError, match=r"Missing: .*'review' Did you mean 'revue'"):
        raw_samples(parts.preprocess, {**{key: raw[key] for key in raw if key != "review"}, "revue": ["a"]})
    with pytest.raises(
        ValueError, match=r"the same number of values for each raw name. Received: \{'review': 3, 'note': 4"
    ):
        raw_samples(parts.preprocess, raw | {"review": raw["review"][:3]})
    for none in (tf.data.Dataset.from_tensor_slices(raw).take(0), {key: values[:0] for key, values in raw.items()}):
        with pytest.raises(ValueError, match="at least one raw example. Received: none"):
            raw_samples(parts.preprocess, none)
