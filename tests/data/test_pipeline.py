import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True))


@pytest.fixture(scope="module")
def text_specs():
    return [mm.Text("question", max_tokens=24, vocabulary_size=100)]


@pytest.fixture(scope="module")
def texts(scenes, text_specs, heads):
    return mm.data.from_csv(scenes, text_specs, heads)


@pytest.fixture(scope="module")
def to_ids(texts, text_specs):
    return mm.adapt(mm.preprocessor(text_specs), texts, verbose=False)


def test_training_drops_the_remainder_and_evaluation_loses_none(texts, to_ids, heads):
    train = mm.data.train_batches(texts, to_ids, heads, batch_size=50)
    assert int(train.cardinality()) == 2
    assert [len(y["answer"]) for _, y in train] == [50, 50]
    evaluation = mm.data.eval_batches(texts, to_ids, heads, batch_size=50)
    assert int(evaluation.cardinality()) == 3
    labels = np.concatenate([y["answer"] for _, y in evaluation])
    assert labels.tolist() == texts.table["answer"].tolist()


def test_order_is_a_function_of_seed_and_epoch(texts, to_ids, heads):
    def make(seed, **more):
        return mm.data.train_batches(texts, to_ids, heads, batch_size=30, seed=seed, verbose=False, **more)

    first, second = make(1), make(1, cache="memory")
    epochs = [list(first) for _ in range(3)]
    assert equal(epochs, [list(second) for _ in range(3)])
    assert not equal(epochs[0], epochs[1])
    assert not equal(epochs[0], list(make(2)))
    first.epoch.assign(1)
    assert equal(epochs[1:], [list(first) for _ in range(2)])


def test_every_row_comes_once_an_epoch(texts, to_ids, heads):
    batches = mm.data.train_batches(texts, to_ids, heads, batch_size=40)
    for _ in range(2):
        labels = np.concatenate([y["loudness"][:, 0] for _, y in batches])
        np.testing.assert_array_equal(np.sort(labels), np.sort(texts.table["loudness"][:, 0]))


def test_class_weights_reach_fit_as_sample_weights(texts, to_ids):
    answer = mm.heads.classification("answer", mm.data.generate.ANSWERS, class_weights="balanced")
    heads = mm.heads.adapt([answer, mm.heads.regression("loudness", mean=0, std=1)], texts)
    _, labels, weights = next(iter(mm.data.train_batches(texts, to_ids, heads)))
    expected = [heads[0].class_weights[answer.classes[i]] for i in labels["answer"].numpy()]
    np.testing.assert_allclose(weights["answer"], expected, rtol=1e-6)
    assert set(weights["loudness"].numpy()) == {1.0}
    with pytest.raises(ValueError, match=r"^Head 'answer' has class_weights.*give these heads to train_batches\(raw"):
        mm.data.train_batches(texts, to_ids, [answer], cache="memory")  # at once: the cache may take minutes


@pytest.mark.parametrize("cache", [None, "memory"])
def test_bucket_by_puts_similar_lengths_together(texts, to_ids, heads, cache):
    make = lambda **more: mm.data.train_batches(texts, to_ids, heads, batch_size=12, cache=cache, verbose=False, **more)  # noqa: E731
    waste = lambda batches: np.mean([1 - x["question_mask"].numpy().mean() for x, _ in batches])  # noqa: E731
    buckets = list(make(bucket_by="question"))
    assert all(x["question_mask"].numpy().any(0).all() for x, _ in buckets)
    assert waste(buckets) < 0.5 * waste(make())
    rows = np.concatenate([y["loudness"][:, 0] for _, y in buckets])
    np.testing.assert_array_equal(np.sort(rows), np.sort(texts.table["loudness"][:, 0]))


def test_augment_is_stateless_and_for_training_only(texts, to_ids, heads):
    def noise(ready, labels, seed):
        drawn = tf.random.stateless_uniform(tf.shape(ready["question"]), seed, 0, 9, tf.int32)
        return ready | {"question": ready["question"] + drawn}, labels

    make = lambda: mm.data.train_batches(texts, to_ids, heads, batch_size=60, augment=noise)  # noqa: E731
    plain = mm.data.train_batches(texts, to_ids, heads, batch_size=60)
    noisy = make()
    one, two = list(noisy), list(noisy)
    assert equal([one, two], [list(again := make()), list(again)])
    drawn = [np.asarray(a[0]["question"] - b[0]["question"]) for a, b in zip(one, plain, strict=True)]
    assert all(0 < d.max() < 9 for d in drawn)
    assert not np.array_equal(drawn[0], drawn[1])
    with pytest.raises(TypeError, match="augment"):
        mm.data.eval_batches(texts, to_ids, heads, augment=noise)


def test_any_data_set_of_dicts_will_do(texts, to_ids, heads):
    stream = tf.data.Dataset.from_generator(texts.as_numpy_iterator, output_signature=texts.element_spec)
    assert sum(len(y["answer"]) for _, y in mm.data.eval_batches(stream, to_ids, heads)) == 120
    assert len(list(mm.data.train_batches(stream, to_ids, heads, batch_size=50))) == 2
    cached = mm.data.train_batches(stream, to_ids, heads, batch_size=50, cache="memory", verbose=False)
    assert equal(list(cached), list(mm.data.train_batches(texts, to_ids, heads, batch_size=50)))


def test_batches_without_labels_for_predict(raw, preprocess, model):
    inputs = mm.data.eval_batches(raw.take(20), preprocess, batch_size=8)
    assert model.predict(inputs, verbose=0)["answer"].shape == (20, 8)


def test_fit_runs_on_all_modalities(raw, preprocess, model, heads):
    model.compile("adam", **mm.heads.compile_for(heads))
    train = mm.data.train_batches(raw, preprocess, heads, batch_size=40, cache="memory", verbose=False)
    history = model.fit(
        train, validation_data=mm.data.eval_batches(raw, preprocess, heads), epochs=2, verbose=0
    ).history
    assert history["loss"][1] < history["loss"][0]
    assert {"answer_accuracy", "val_answer_accuracy", "val_loudness_mae"} <= set(history)


def test_errors(texts, to_ids, heads, raw, preprocess):
    with pytest.raises(ValueError, match="at least one full batch. Received: 120 example"):
        mm.data.train_batches(texts, to_ids, heads, batch_size=121)
    with pytest.raises(ValueError, match=r"Missing: \['price'"):
        mm.data.train_batches(texts, to_ids, [mm.heads.regression("price", mean=0, std=1)])
    with pytest.raises(ValueError, match="bucket_by must name a text. Received: 'questions'. Did you mean 'question'"):
        mm.data.train_batches(texts, to_ids, heads, bucket_by="questions")
    with pytest.raises(ValueError, match="needs mm.data.Examples or cache="):
        mm.data.train_batches(texts.take(50), to_ids, heads, bucket_by="question")
    with pytest.raises(ValueError, match="bucket_by must name a text. Received: 'voice'"):
        mm.data.train_batches(raw, preprocess, heads, bucket_by="voice")
    with pytest.raises(ValueError, match="at least one full batch. Received: 5 example"):
        mm.data.train_batches(texts.take(5), to_ids, heads)
    with pytest.raises(ValueError, match="cache= needs a finite data set"):
        mm.data.train_batches(texts.repeat(), to_ids, heads, cache="memory")
    with tf.distribute.OneDeviceStrategy("CPU:0").scope(), pytest.raises(ValueError, match="Make the batches outside"):
        mm.data.train_batches(texts, to_ids, heads)
    swapped = mm.heads.classification("answer", mm.data.generate.ANSWERS[::-1])
    with pytest.raises(ValueError, match="labels of 'answer' were read with another head"):
        mm.data.train_batches(texts, to_ids, [swapped])
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'skip'"):
        mm.data.eval_batches(texts, to_ids, heads, on_error="drop")


@pytest.mark.parametrize("count", [0, 5])
def test_a_stream_smaller_than_a_batch_is_refused_when_it_has_ended(texts, to_ids, heads, count):
    stream = texts.filter(lambda example: True).take(count)  # a data set of unknown size
    batches = mm.data.train_batches(stream, to_ids, heads, batch_size=6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one full batch. Received: fewer.* batch_size=6"):
        list(batches)


def test_a_stream_of_some_batches_drops_the_remainder(texts, to_ids, heads):
    stream = texts.filter(lambda example: True).take(14)
    batches = mm.data.train_batches(stream, to_ids, heads, batch_size=6)
    for _ in range(2):
        assert [y["answer"].shape for _, y in batches] == [(6,), (6,)]
    assert batches.element_spec[0]["question"].shape == (6, 24)


def test_batches_for_a_model_of_fewer_inputs(raw, preprocess, specs, heads):
    branch = mm.branches.text.lstm(specs[0], units=4, embed_dim=4)
    model = mm.fusion_model(specs[:1], {"question": branch}, mm.fusion.Concatenate(4), heads)
    batches = mm.data.train_batches(raw, preprocess, heads, batch_size=40)
    own = mm.data.select_inputs(batches, model)
    assert list(own.element_spec[0]) == ["question", "question_mask"]
    assert own.epoch is batches.epoch
    model.compile("adam", **mm.heads.compile_for(heads))
    assert np.isfinite(model.fit(own, verbose=0).history["loss"][0])


def test_fingerprint_knows_examples_seed_and_vocabulary(texts, text_specs, to_ids, heads):
    def make(raw=texts, ids=to_ids, seed=0):
        return mm.data.train_batches(raw, ids, heads, batch_size=30, seed=seed).fingerprint

    fewer = mm.adapt(mm.preprocessor(text_specs), texts.subset(range(4)), verbose=False)
    prints = [make(), make(seed=1), make(texts.subset(range(1, 120))), make(ids=fewer)]
    assert len(set(prints)) == 4
    assert make() == prints[0]
