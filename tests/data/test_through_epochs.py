"""`fit` reads all epochs with one iterator, and gets the batches that an iterator for each epoch gives."""

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm

SPECS, HEADS = [mm.Table("facts", numeric=["size"])], [mm.heads.regression("row", mean=0.0, std=1.0)]
STEPS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Raw examples of a table and of shards, by name; and the preprocess."""
    frame = pd.DataFrame({"size": np.random.default_rng(0).normal(size=35), "row": np.arange(35.0)})
    table = mm.data.from_dataframe(frame, SPECS, HEADS)
    shards = tmp_path_factory.mktemp("shards") / "part-*.tfrecord"
    mm.data.write_tfrecord(table, SPECS, HEADS, shards, shards=2, verbose=False)
    return {"table": table, "shards": mm.data.from_tfrecord(shards, SPECS, HEADS)}, mm.adapt(
        mm.preprocessor(SPECS), table, verbose=False
    )


def built(data, **how):
    keras.utils.set_random_seed(0)
    facts = data[1].specs[0]
    branches = {"facts": mm.branches.table.mlp(facts, units=(4,))}
    model = mm.fusion_model(data[1].specs, branches, mm.fusion.Concatenate(4), HEADS)
    model.compile("sgd", **mm.heads.compile_for(HEADS), **how)
    return model


def batches(data, kind="table", **how):
    return mm.data.train_batches(data[0][kind], data[1], batch_size=8, verbose=False, **how)


def rows(iterator, count=STEPS):
    found = []
    for _ in range(count):
        batch = iterator.get_next()
        found += batch[1]["row"].numpy().ravel().tolist()
    return found


def epoch_rows(made):
    return [row for _, labels in made for row in labels["row"].numpy().ravel()]


@pytest.mark.parametrize("kind", ["table", "shards"])
@pytest.mark.parametrize("cache", [None, "memory"])
def test_epochs_follow_each_other_as_from_new_iterators(data, kind, cache):
    made = batches(data, kind, cache=cache)
    expected = [epoch_rows(made) for _ in range(3)]
    made.epoch.assign(0)
    through = made.through_epochs()
    assert through.cardinality() == STEPS and through.element_spec == made.element_spec
    first = iter(through)
    assert int(made.epoch) == 0
    found = [rows(first)]
    assert int(made.epoch) == 1
    assert iter(through) is iter(through) is first
    found += [rows(iter(through)), rows(iter(through))]
    assert found == expected and int(made.epoch) == 3


def test_it_begins_anew_where_another_epoch_is_wanted(data):
    made = batches(data)
    expected = [epoch_rows(made) for _ in range(3)]
    made.epoch.assign(0)
    through = made.through_epochs()
    rows(iter(through))
    made.epoch.assign(2)  # as callbacks that resume do
    assert rows(iter(through)) == expected[2] and int(made.epoch) == 3
    made.epoch.assign(0)
    rows(iter(through), 1)  # an epoch that is broken off
    assert rows(iter(through)) == expected[1]


def test_evaluation_repeats_itself(data):
    made = mm.data.eval_batches(data[0]["table"], data[1], batch_size=8)
    through = made.through_epochs()
    first = iter(through)
    found = [rows(iter(through), 5) for _ in range(2)]
    assert found == [list(range(35))] * 2 and iter(through) is first
    rows(first, 2)
    assert rows(iter(through), 5) == list(range(35))


def fitted(data, made, monkeypatch, one, **how):
    """Logs and weights after three epochs, and how many iterators were made of the batches of `fit`."""
    made.epoch.assign(0)
    evaluation = mm.data.eval_batches(data[0]["table"], data[1], batch_size=8)
    counts, original = [], type(made.through_epochs()).__iter__
    with monkeypatch.context() as patch:
        if not one:
            patch.setattr("mmkeras.contract.fitting._with_one_iterator", lambda model, arguments: arguments)
        patch.setattr(type(made.through_epochs()), "__iter__", lambda self: counts.append(1) or original(self))
        model = built(data, **how)
        model.evaluate(evaluation, verbose=0)
        history = model.fit(made, validation_data=evaluation, epochs=3, verbose=0).history
    return [*history.values(), *model.get_weights()], len(counts)


@pytest.mark.parametrize("steps", [1, 2])
def test_fit_ends_as_it_does_with_an_iterator_for_each_epoch(data, monkeypatch, steps):
    made = mm.data.select_inputs(batches(data), built(data))
    one, counted = fitted(data, made, monkeypatch, True, steps_per_execution=steps)
    each, none = fitted(data, made, monkeypatch, False, steps_per_execution=steps)
    assert counted and not none
    for first, second in zip(one, each, strict=True):
        np.testing.assert_array_equal(first, second)
    assert int(made.epoch) == 3


@pytest.mark.parametrize("how", [{"steps_per_epoch": 2}, {"steps_per_execution": 3}])
def test_parts_of_epochs_are_left_to_keras(data, monkeypatch, how):
    made = batches(data)
    monkeypatch.setattr(type(made.through_epochs()), "__iter__", lambda self: pytest.fail("one iterator"))
    model = built(data, steps_per_execution=how.get("steps_per_execution", 1))
    history = model.fit(made, epochs=3, steps_per_epoch=how.get("steps_per_epoch"), verbose=0).history
    assert len(history["loss"]) == 3
