"""TFRecord shards: what is read is what was written; what is damaged is said."""

import json
import os
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm

SHARDS = 4


@pytest.fixture(scope="module")
def written(raw, specs, heads, tmp_path_factory):
    """The pattern of 4 shards of the 120 scenes."""
    pattern = tmp_path_factory.mktemp("shards") / "train-*.tfrecord"
    assert mm.data.write_tfrecord(raw, specs, heads, pattern, shards=SHARDS, verbose=False) == []
    return pattern


@pytest.fixture(scope="module")
def light(specs):
    """Specs without files, which are quick to write and to read."""
    return [specs[0], specs[3]]


@pytest.fixture(scope="module")
def table(scenes, light, heads):
    return mm.data.from_csv(scenes, light, heads)


@pytest.fixture(scope="module")
def to_row(table, light):
    """Preprocesses one of the modalities, the quickest."""
    return mm.adapt(mm.preprocessor(light[1:]), table, verbose=False)


@pytest.fixture(scope="module")
def texts(table, light, heads, tmp_path_factory):
    """The pattern of 4 shards of texts and numbers."""
    pattern = tmp_path_factory.mktemp("texts") / "train-*.tfrecord"
    mm.data.write_tfrecord(table, light, heads, pattern, shards=SHARDS, verbose=False)
    return pattern


@pytest.fixture
def copied(texts, tmp_path):
    """The same in a folder that a test may spoil."""
    shutil.copytree(texts.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / texts.name


@pytest.fixture(scope="module")
def read(texts, light, heads):
    return mm.data.from_tfrecord(texts, light, heads)


def same(a, b):
    """Whether two data sets hold equal examples in the same order, bit for bit."""
    count = 0
    for x, y in zip(a.as_numpy_iterator(), b.as_numpy_iterator(), strict=True):
        assert set(x) == set(y)
        for name in x:
            assert np.asarray(x[name]).dtype == np.asarray(y[name]).dtype
            assert np.asarray(x[name]).tobytes() == np.asarray(y[name]).tobytes(), name
        count += 1
    return count


def labels(batches):
    return np.concatenate([y["loudness"][:, 0] for _, y in batches])


def shard(pattern, number, shards=SHARDS):
    return pattern.with_name(f"train-{number:05d}-of-{shards:05d}.tfrecord")


def test_the_round_trip_is_exact(raw, written, specs, heads):
    read = mm.data.from_tfrecord(written, specs, heads)
    assert same(raw, read) == 120
    assert read.element_spec == raw.element_spec
    assert int(read.cardinality()) == 120
    names = sorted(path.name for path in written.parent.iterdir())
    assert names == [*(f"train-0000{i}-of-00004.tfrecord" for i in range(SHARDS)), "train-manifest.json"]


def test_nan_unicode_absent_and_extreme_numbers_come_back(tmp_path):
    specs = [
        mm.Text("q", optional=True),
        mm.Image("photo", optional=True),
        mm.Table("t", numeric="size", categorical="kind"),
    ]
    heads = [mm.heads.regression("y", size=2), mm.heads.classification("many", ["ä", "b"], multi_label=True)]
    frame = pd.DataFrame(
        {
            "q": ["日本語 👩\u200d👧", b"\xff\x00\n", ""],
            "photo": [None, b"", b""],
            "size": [np.nan, -0.0, 1e-45],
            "kind": ["x\u0000", "", "é"],
            "y": [[1, 3e38], [0.1, -1e-40], [2, 3]],
            "many": ["ä|b", "", "b"],
        }
    )
    raw = mm.data.from_dataframe(frame, specs, heads)
    mm.data.write_tfrecord(raw, specs, heads, tmp_path / "x-*.tfrecord", shards=2, compression="GZIP", verbose=False)
    assert same(raw, mm.data.from_tfrecord(tmp_path / "x-*.tfrecord", specs, heads)) == 3


def test_gzip_is_smaller_and_holds_the_same(table, light, heads, texts, tmp_path):
    pattern = str(tmp_path / "new" / "train-*.tfrecord")
    mm.data.write_tfrecord(table, light, heads, pattern, shards=3, compression="GZIP", verbose=False)
    assert same(table, mm.data.from_tfrecord(pattern, light, heads)) == 120
    size = lambda folder: sum(path.stat().st_size for path in folder.glob("*.tfrecord"))  # noqa: E731
    assert size(tmp_path / "new") < 0.5 * size(texts.parent)


def test_others_can_read_the_records(texts, table):
    record = next(tf.data.TFRecordDataset(str(shard(texts, 1))).as_numpy_iterator())
    example = tf.train.Example.FromString(record).features.feature
    assert example["question"].bytes_list.value[0] == table.table["question"][1]
    assert example["answer"].int64_list.value[0] == table.table["answer"][1]


def test_streams_and_shards_are_written_too(read, light, heads, tmp_path):
    part = read.take(10)
    mm.data.write_tfrecord(part, light[:1], heads[:1], tmp_path / "a-*.tfrecord", verbose=False)
    again = mm.data.from_tfrecord(tmp_path / "a-*.tfrecord", light[:1], heads[:1])
    assert same(part.map(lambda x: {name: x[name] for name in ("question", "answer")}), again) == 10


def test_some_specs_and_heads_will_do_and_sizes_may_differ(written, raw):
    small = mm.data.from_tfrecord(written, [mm.Image("photo", size=(8, 8), optional=True)])
    assert list(small.element_spec) == ["photo"]
    assert same(raw.select(["photo"]), small) == 120


def test_evaluation_keeps_the_order_and_knows_its_length(table, read, to_row, heads):
    batches = mm.data.eval_batches(read, to_row, heads, batch_size=50)
    assert int(batches.cardinality()) == 3
    for (x, y), (a, b) in zip(batches, mm.data.eval_batches(table, to_row, heads, batch_size=50), strict=True):
        for name, tensor in (x | y).items():
            np.testing.assert_array_equal(tensor, (a | b)[name], err_msg=name)


def test_training_order_is_a_function_of_seed_and_epoch(texts, table, to_row, heads, light):
    def make(seed):
        read = mm.data.from_tfrecord(texts, light, heads)
        return mm.data.train_batches(read, to_row, heads, batch_size=30, seed=seed, shuffle_buffer=30)

    first = make(1)
    assert int(first.cardinality()) == 4
    epochs = [labels(first) for _ in range(3)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.sort(table.table["loudness"][:, 0]))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], labels(make(2)))
    keras.utils.set_random_seed(99)  # the global seed has no effect
    again = make(1)
    again.epoch.assign(1)
    np.testing.assert_array_equal(epochs[1:], [labels(again) for _ in range(2)])


def test_shards_change_places_even_without_a_buffer(read, to_row, heads):
    batches = mm.data.train_batches(read, to_row, heads, batch_size=4, shuffle_buffer=1)
    firsts = {float(next(iter(batches))[1]["loudness"][0, 0]) for _ in range(12)}
    assert 1 < len(firsts) <= SHARDS


def test_workers_share_the_shards(texts, table, light, heads, to_row):
    parts = [mm.data.from_tfrecord(texts, light, heads, worker=i, workers=3) for i in range(3)]
    assert [int(part.cardinality()) for part in parts] == [60, 30, 30]
    seen = [labels(mm.data.eval_batches(part, to_row, heads)) for part in parts]
    np.testing.assert_array_equal(seen[1], table.table["loudness"][1::4, 0])
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.sort(table.table["loudness"][:, 0]))
    with pytest.raises(ValueError, match=r"each worker needs a shard. Received: worker=0, workers=5, and 4 shard"):
        mm.data.from_tfrecord(texts, light, heads, worker=0, workers=5)


def test_adapt_and_heads_learn_from_shards(table, read, light):
    learned = [mm.adapt(mm.preprocessor(light[:1]), data, verbose=False) for data in (read, table)]
    asked = {"question": tf.constant(["Which colour is left?"])}
    np.testing.assert_array_equal(learned[0](asked)["question"], learned[1](asked)["question"])
    head = mm.heads.regression("loudness")
    assert mm.heads.adapt([head], read) == mm.heads.adapt([head], table)


def test_a_cache_on_disk_is_used_again(copied, light, heads, to_row, table, tmp_path):
    def make():
        read = mm.data.from_tfrecord(copied, light, heads)
        return mm.data.eval_batches(read, to_row, heads, cache=tmp_path / "cache", verbose=False)

    make()
    before = (tmp_path / "cache/meta.npy").stat().st_mtime_ns
    make()
    assert (tmp_path / "cache/meta.npy").stat().st_mtime_ns == before
    mm.data.write_tfrecord(table.subset(range(50)), light, heads, copied, overwrite=True, verbose=False)
    assert len(labels(make())) == 50


def test_sets_are_told_apart_by_all_that_they_hold(light, heads, table, tmp_path):
    order = np.arange(50)
    swapped = np.r_[order[:25], order[[26, 25]], order[27:]]

    def content(name, rows):
        mm.data.write_tfrecord(table.subset(rows), light, heads, tmp_path / f"{name}-*.tfrecord", verbose=False)
        return json.loads((tmp_path / f"{name}-manifest.json").read_text())["content"]

    assert content("a", order) == content("b", order) != content("c", swapped)


# Damaged shards and manifests.


def _missing(pattern):
    shard(pattern, 2).unlink()
    return r"train-00002-of-00004.tfrecord: expected \d+ bytes, received no such file"


def _cut_within_a_record(pattern):
    os.truncate(shard(pattern, 1), shard(pattern, 1).stat().st_size - 7)
    return r"train-00001-of-00004.tfrecord: expected \d+ bytes, received \d+"


def _cut_between_records(pattern):
    records = list(tf.data.TFRecordDataset(str(shard(pattern, 0))).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(shard(pattern, 0))) as writer:
        for record in records[:-1]:
            writer.write(record)
    return r"train-00000-of-00004.tfrecord: expected \d+ bytes, received \d+"


def _of_another_set(pattern):
    shutil.copy(shard(pattern, 0), pattern.with_name("train-00000-of-00009.tfrecord"))
    return "train-00000-of-00009.tfrecord: expected no such shard"


def _swapped_for_one_of_the_same_size(pattern):
    shard(pattern, 3).write_bytes(bytes(shard(pattern, 3).stat().st_size))
    return r"train-00003-of-00004.tfrecord: expected \w{12} as digest of its ends, received \w{12}"


@pytest.mark.parametrize("spoil", [_missing, _cut_within_a_record, _cut_between_records, _of_another_set,
                                   _swapped_for_one_of_the_same_size])  # fmt: skip
def test_damage_is_reported_before_anything_is_read(copied, light, heads, spoil):
    with pytest.raises(
        ValueError, match=f"(?s)1 shard.*do not match what was written.*{spoil(copied)}.*Copy the whole set"
    ):
        mm.data.from_tfrecord(copied, light, heads)


def test_all_damaged_shards_are_named_at_once(copied, light, heads):
    told = [_missing(copied), _cut_within_a_record(copied)]
    with pytest.raises(ValueError, match=f"(?s)2 shard.*{told[1]}.*{told[0]}"):
        mm.data.from_tfrecord(copied, light, heads)


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.fixture(scope="module", params=[None, "GZIP"])
def long(request, specs, heads, tmp_path_factory):
    """Shards that are longer than their checked ends, one of them damaged in its middle."""
    photo = tf.io.encode_png(np.random.default_rng(0).integers(0, 256, (150, 150, 3), "uint8")).numpy()
    frame = pd.DataFrame({"photo": [photo] * 12, "loudness": np.arange(12.0)})
    raw = mm.data.from_dataframe(frame, specs[1:2], heads[2:])
    pattern = tmp_path_factory.mktemp("long") / "train-*.tfrecord"
    mm.data.write_tfrecord(raw, specs[1:2], heads[2:], pattern, shards=2, compression=request.param, verbose=False)
    _flip(shard(pattern, 1, 2))
    return pattern


@pytest.mark.parametrize(("cache", "on_error"), [(None, "raise"), ("memory", "skip")])
def test_damage_in_the_middle_is_reported_on_reading(long, specs, heads, cache, on_error):
    read = mm.data.from_tfrecord(long, specs[1:2], heads[2:], on_error=on_error)
    told = r"(?s)Shard 'train-00001-of-00002.*Expected: 6 records. Received: \d that are whole; .*Copy it again"
    with pytest.raises((ValueError, tf.errors.OpError), match=told):
        list(
            mm.data.train_batches(
                read, mm.preprocessor(specs[1:2]), heads[2:], batch_size=4, cache=cache, verbose=False
            )
        )


def test_a_shard_cut_while_it_is_in_use_is_reported(copied, light, heads):
    read = mm.data.from_tfrecord(copied, light, heads)
    _cut_between_records(copied)
    with pytest.raises(
        tf.errors.OpError, match=r"Shard 'train-00000-of-00004.tfrecord'.*Expected: 30 records. Received: 29"
    ):
        list(read)


def test_a_set_without_its_manifest_is_refused(copied, light):
    copied.with_name("train-manifest.json").unlink()
    with pytest.raises(ValueError, match="(?s)manifest.*train-manifest.json.*beside it lie.*train-00000-of-00004"):
        mm.data.from_tfrecord(copied, light)
    copied.with_name("train-manifest.json").write_text('{"format": "something else"}')
    with pytest.raises(ValueError, match="something else"):
        mm.data.from_tfrecord(copied, light)


# Specs and heads that do not fit.


def test_other_specs_and_heads_are_refused(written, specs, heads):
    swapped = mm.heads.classification("answer", mm.data.generate.ANSWERS[::-1])
    with pytest.raises(ValueError, match=r"'answer', classes: written \['.*\], received \['"):
        mm.data.from_tfrecord(written, specs, [swapped])
    with pytest.raises(ValueError, match="'photo', kind: written image, received audio"):
        mm.data.from_tfrecord(written, [mm.Audio("photo")])
    with pytest.raises(ValueError, match="'loudness', kind: written regression, received classification"):
        mm.data.from_tfrecord(written, specs, [mm.heads.classification("loudness", ["low", "high"])])
    with pytest.raises(ValueError, match="(?s)'questions': written are .*Did you mean 'question'"):
        mm.data.from_tfrecord(written, [mm.Text("questions")])


def test_a_set_that_is_there_is_not_overwritten(copied, table, light, heads):
    before = shard(copied, 0).read_bytes()
    with pytest.raises(ValueError, match="not overwritten. Received: .*where there are 5 file.*overwrite=True"):
        mm.data.write_tfrecord(table, light, heads, copied, shards=2, verbose=False)
    assert shard(copied, 0).read_bytes() == before
    mm.data.write_tfrecord(table, light, heads, copied, shards=2, overwrite=True, verbose=False)
    assert len(list(copied.parent.iterdir())) == 3
    assert same(table, mm.data.from_tfrecord(copied, light, heads)) == 120


def test_an_interrupted_writing_leaves_what_was_there(table, light, heads, copied, monkeypatch):
    before = sorted(path.name for path in copied.parent.iterdir())
    monkeypatch.setattr("mmkeras.data.tfrecord.records.json.dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        mm.data.write_tfrecord(table, light, heads, copied, shards=2, overwrite=True, verbose=False)
    monkeypatch.undo()  # reading needs it
    assert sorted(path.name for path in copied.parent.iterdir()) == before
    assert same(table, mm.data.from_tfrecord(copied, light, heads)) == 120


def test_a_set_that_lost_its_place_half_way_is_not_read(table, light, heads, copied, monkeypatch):
    monkeypatch.setattr("mmkeras.data.tfrecord.records.os.replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        mm.data.write_tfrecord(table, light, heads, copied, shards=2, overwrite=True, verbose=False)
    with pytest.raises(ValueError, match="manifest"):
        mm.data.from_tfrecord(copied, light, heads)


@pytest.fixture(scope="module")
def photo(specs):
    return specs[1:2]


@pytest.fixture
def broken(scenes, tmp_path, photo, heads):
    """40 of the scenes, one of them with a text under a JPEG's name."""
    frame = pd.read_csv(scenes)[:40]
    (tmp_path / "broken.jpg").write_text("hello")
    frame["photo"] = [str(scenes.parent / path) if isinstance(path, str) else "" for path in frame.photo]
    frame.loc[7, "photo"] = str(tmp_path / "broken.jpg")
    return mm.data.from_dataframe(frame, photo, heads[2:])


def test_files_that_cannot_be_decoded_are_named_or_skipped(broken, photo, heads, tmp_path, capsys):
    pattern = tmp_path / "new" / "a-*.tfrecord"
    with pytest.raises(ValueError, match=r"row 7, 'photo', .*broken.jpg: .*hello"):
        mm.data.write_tfrecord(broken, photo, heads[2:], pattern, shards=3, verbose=False)
    assert list(pattern.parent.iterdir()) == []
    skipped = mm.data.write_tfrecord(broken, photo, heads[2:], pattern, shards=3, on_error="skip")
    assert [fault.row for fault in skipped] == [7]
    assert "39 examples in 3 shard(s), 1 example(s) cannot be used" in capsys.readouterr().out
    read = mm.data.from_tfrecord(pattern, photo, heads[2:])
    assert int(read.cardinality()) == 39 == len(list(read))
    assert read.skipped[0].file.endswith("broken.jpg")


def test_a_broken_file_within_a_shard_is_named_by_record(broken, photo, heads, tmp_path, monkeypatch):
    pattern = tmp_path / "a-*.tfrecord"
    raw = {"photo": keras.Input((), dtype="string", name="photo")}
    # Skips decoding.
    monkeypatch.setattr("mmkeras.data.tfrecord.records._decoding", lambda specs: keras.Model(raw, raw))
    mm.data.write_tfrecord(broken, photo, heads[2:], pattern, shards=4, verbose=False)

    def make(on_error):
        read = mm.data.from_tfrecord(pattern, photo, heads[2:], on_error=on_error)
        return mm.data.eval_batches(read, mm.preprocessor(photo), heads[2:])

    with pytest.raises((ValueError, tf.errors.OpError), match="row 7, 'photo', a-00003-of-00004.tfrecord, record 1: "):
        list(make("raise"))
    batches = make("skip")
    assert len(labels(batches)) == 39
    assert [fault.row for fault in batches.skipped] == [7]


def test_arguments_are_checked(table, light, heads, tmp_path):
    write = lambda pattern="a-*.tfrecord", raw=table, heads=heads, **more: mm.data.write_tfrecord(  # noqa: E731
        raw, light, heads, tmp_path / pattern, verbose=False, **more
    )
    with pytest.raises(ValueError, match=r"pattern must hold one \* in the file's name.*a.tfrecord"):
        write("a.tfrecord")
    with pytest.raises(ValueError, match="shards must be from 1 to 512.*Received: shards=0"):
        write(shards=0)
    with pytest.raises(ValueError, match="compression must be None or 'GZIP'. Received: 'ZSTD'"):
        write(compression="ZSTD")
    with pytest.raises(
        ValueError, match=r"Each shard needs at least one example. Received: 2 example\(s\) for shards=3"
    ):
        write(raw=table.take(2), shards=3)
    with pytest.raises(ValueError, match="finite data set"):
        write(raw=table.repeat())
    with pytest.raises(ValueError, match="Expected: 'loudness' float32 .*Received: float64"):
        write(raw=table.map(lambda x: x | {"loudness": tf.cast(x["loudness"], tf.float64)}))
    with pytest.raises(ValueError, match="Missing: .*'price'"):
        write(heads=[mm.heads.regression("price")])
    with pytest.raises(ValueError, match="Did you mean"):
        write(raw=table.map(lambda x: {f"{name}s": value for name, value in x.items()}))
    swapped = mm.heads.classification("answer", mm.data.generate.ANSWERS[::-1])
    with pytest.raises(ValueError, match="read with another head"):
        write(heads=[swapped])
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_says_what_is_there(written):
    told = json.loads(written.with_name("train-manifest.json").read_text())
    assert told["examples"] == 120
    assert [each["examples"] for each in told["shards"]] == [30] * SHARDS
    assert told["shards"][2]["bytes"] == shard(written, 2).stat().st_size
    assert told["labels"]["answer"]["classes"] == list(mm.data.generate.ANSWERS)
    assert told["raw"]["hour"] == {"kind": "table", "shape": [], "dtype": "float32"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told.pop("shards"), "KeyError: \"the manifest lacks 'shards'\""),
        (lambda told: told.update(shards={}), "'shards' of the manifest must be list, not {}"),
        (lambda told: told["shards"][0].pop("bytes"), "each shard of it lacks 'bytes'"),
        (lambda told: told.update(shards=["a"]), "each shard of it must be an object, not str"),
        (lambda told: told.update(examples=7), "does not agree with its own digest"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(copied, change, light, message):
    path = copied.with_name("train-manifest.json")
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match=f"(?s)train-manifest.json.*{message}"):
        mm.data.from_tfrecord(copied, light)
