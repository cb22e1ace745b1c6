"""Batches of servers are those of this process, in its order; what servers cannot do is refused, and their end told."""

import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.data import order
from mmkeras.data.batches import ready
from mmkeras.data.service import __main__, portable

SPEC = mm.Text("text", max_tokens=8, vocabulary_size=50)
HEADS = [mm.heads.regression("row", mean=0, std=1)]
NOBODY = "grpc://127.0.0.1:1"


@pytest.fixture(scope="module")
def processes():
    """Two servers, each a process and its address."""
    command = [sys.executable, "-m", "mmkeras.data.service", "--port", "0"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in "12"]
    yield [(each, each.stdout.readline().split()[-1]) for each in started]
    for each in started:
        each.kill()
        each.wait()


@pytest.fixture(scope="module")
def service(processes):
    """The address of one of them."""
    return processes[0][1]


@pytest.fixture(scope="module")
def texts():
    frame = pd.DataFrame({"text": [f"Wörd {i % 7} " * (i % 5 + 1) for i in range(100)], "row": np.arange(100.0)})
    return mm.data.from_dataframe(frame, [SPEC], HEADS)


@pytest.fixture(scope="module")
def to_ids(texts):
    return mm.adapt(mm.preprocessor([SPEC]), texts, verbose=False)


def made(function, raw, preprocess, **how):
    return function(raw, preprocess, verbose=False, **how)


def equal(first, second):
    pairs = zip(tf.nest.flatten(list(first)), tf.nest.flatten(list(second)), strict=True)
    return all(np.array_equal(*pair) for pair in pairs)


def test_order_is_that_of_this_process_in_every_epoch(texts, to_ids, processes):
    servers = [address for _, address in processes]
    local = made(mm.data.train_batches, texts, to_ids, batch_size=8)
    far = made(mm.data.train_batches, texts, to_ids, batch_size=8, service=servers)
    assert far.element_spec == local.element_spec and far.cardinality() == 12 and far.fingerprint == local.fingerprint
    epochs = [list(far) for _ in range(2)]
    assert equal(epochs, [list(local) for _ in range(2)])
    rows = [np.concatenate([y["row"][:, 0] for _, y in epoch]) for epoch in epochs]
    assert [len(set(each)) for each in rows] == [96, 96] and not np.array_equal(*rows)
    far.epoch.assign(1)
    assert equal(far, epochs[1])
    next(iter(far))  # one batch of an epoch, as Keras may take it; the next iteration is another epoch
    local.epoch.assign(3)
    assert equal(far, local)


def test_examples_keep_their_order_in_evaluation(texts, to_ids, service):
    far = made(mm.data.eval_batches, texts, to_ids, batch_size=30, service=service)
    local = made(mm.data.eval_batches, texts, to_ids, batch_size=30)
    assert equal(far, local) and equal(far, local)


@pytest.mark.parametrize("function", [mm.data.train_batches, mm.data.eval_batches])
def test_fit_reads_its_epochs_with_one_iterator(texts, to_ids, service, function):
    far = made(function, texts, to_ids, batch_size=8, service=service).through_epochs()
    local = made(function, texts, to_ids, batch_size=8).through_epochs()
    steps, iterators = int(local.cardinality()), [iter(far), iter(local)]
    for _ in range(2 * steps + 1):
        assert equal(*(each.get_next() for each in iterators))


def test_buckets_and_augmentation_are_the_same(texts, to_ids, service):
    def noise(ready, labels, seed):
        return ready, {"row": labels["row"] + tf.random.stateless_uniform(tf.shape(labels["row"]), seed)}

    how = {"batch_size": 8, "bucket_by": "text", "augment": noise, "seed": 3}
    far = made(mm.data.train_batches, texts, to_ids, **how, service=service)
    assert equal(far, made(mm.data.train_batches, texts, to_ids, **how))


def test_each_worker_gets_its_part(texts, to_ids, service):
    far = made(mm.data.train_batches, texts, to_ids, batch_size=8, service=service).of_worker(1, 2, 2)
    assert equal(far, made(mm.data.train_batches, texts, to_ids, batch_size=8).of_worker(1, 2, 2))


def test_shards_keep_their_order_and_damage_is_named(texts, to_ids, service, tmp_path):
    pattern = tmp_path / "part-*.tfrecord"
    mm.data.write_tfrecord(texts, [SPEC], HEADS, pattern, shards=3, verbose=False)
    shards = mm.data.from_tfrecord(pattern, [SPEC], HEADS)
    far = made(mm.data.train_batches, shards, to_ids, batch_size=8, service=service)
    assert equal(far, made(mm.data.train_batches, shards, to_ids, batch_size=8))
    path = sorted(tmp_path.glob("*.tfrecord"))[1]
    path.write_bytes(path.read_bytes()[:-20])
    again = made(mm.data.train_batches, shards, to_ids, batch_size=8, service=service)
    with pytest.raises(tf.errors.OpError, match=rf"Shard '{path.name}' .* is damaged"):
        list(again)


class Numbers:
    """As much of a preprocess as reading needs."""

    input, layers = ["x"], []

    def __call__(self, raw, training):
        return {"x": tf.strings.to_number(raw["x"])}


def ready_numbers(skipped, servers=()):
    texts = tf.constant([str(i) for i in range(16)][:5] + ["five"] + [str(i) for i in range(6, 16)])
    rows = tf.data.Dataset.range(16).batch(4).map(lambda rows: (0, rows))
    keyed, _ = order.counted(lambda number: rows, 4)
    how = lambda rows, name=None: {"x": tf.gather(texts, rows)}, lambda rows: (int(rows[0]), lambda name: "a file")
    return ready.ready_batches(keyed, *how, Numbers(), [], "skip", skipped, servers=servers)


def test_examples_that_fail_are_tried_again_here(service):
    far, local = [], []
    assert equal(ready_numbers(far, [service]), ready_numbers(local)) and far == local
    assert [fault.row for fault in far] == [5]


def test_a_server_without_the_files_is_no_fault_of_the_examples(service, monkeypatch):
    monkeypatch.setattr(ready, "map_on_servers", lambda keyed, attempt, again, servers: again(*next(iter(keyed))))
    with pytest.raises(ValueError, match=r"need the same files .* but not by one of .*127.* in row 0, 'a file'\.$"):
        ready_numbers([], [service])


@pytest.mark.parametrize("given", ["127.0.0.1:5050", "grpc://host", "grpc://host:x", "http://host:80", [NOBODY] * 2])
def test_addresses_are_checked(texts, to_ids, given):
    with pytest.raises(ValueError, match=r"^service must be 'grpc://HOST:PORT', or a list .* Received: .*python -m"):
        made(mm.data.train_batches, texts, to_ids, service=given)


def test_nobody_there_is_told_in_time(texts, to_ids, monkeypatch):
    monkeypatch.setattr(ready, "START", 0.5)
    with pytest.raises(ConnectionError, match=rf"Received: '{NOBODY}', which does not: .* within 1 s\. Start one"):
        made(mm.data.train_batches, texts, to_ids, service=NOBODY)


def test_what_servers_cannot_do_is_refused(texts, to_ids, service, monkeypatch):
    with pytest.raises(ValueError, match=r"and cache= keeps them\. Received: .*cache='memory'"):
        made(mm.data.train_batches, texts, to_ids, service=service, cache="memory")
    with pytest.raises(ValueError, match=r"any machine can read in any order.* Received: _?TakeDataset\. Write them"):
        made(mm.data.train_batches, texts.take(40), to_ids, heads=HEADS, service=service)
    monkeypatch.setattr(portable, "_MOST_BYTES", 1000)
    with pytest.raises(ValueError, match=r"at most 0 MB\. Received: 0 MB\. Give files by their paths"):
        made(mm.data.train_batches, texts, to_ids, service=service)


def test_modalities_read_by_python_are_named(service):
    frame = pd.DataFrame({"clip": [b"\0\0\0\x18ftypmp42"] * 4, "row": np.arange(4.0)})
    specs = [mm.Video("clip", frames=2, size=8)]
    raw = mm.data.from_dataframe(frame, specs, HEADS)
    with pytest.raises(ValueError, match=r"without Python functions.* Received: some that read \['clip'\]\. Leave"):
        made(mm.data.train_batches, raw, mm.preprocessor(specs), batch_size=4, service=service)


def test_a_port_is_not_shared(service, capsys):
    port = service.rsplit(":", 1)[1]
    with pytest.raises(SystemExit):
        __main__.main(["--port", port])
    assert f"the ports must be free. Received: {port}, Address already in use." in capsys.readouterr().err


def test_killed_servers_are_replaced_and_the_last_one_is_told(texts, to_ids, processes, capsys):
    (first, _), (last, service) = processes
    far = made(mm.data.train_batches, texts, to_ids, batch_size=8, service=[address for _, address in processes])
    local = made(mm.data.train_batches, texts, to_ids, batch_size=8)
    assert equal(far, local)
    first.kill()
    assert all(equal(far, local) for _ in range(3))  # the first batches were made before
    assert f"Batches are made by ['{service}'] from now on. service= needs servers" in capsys.readouterr().out
    last.send_signal(signal.SIGTERM)
    assert last.wait(60) == 0
    with pytest.raises(tf.errors.OpError, match=rf"No server is left\. .* Received: '{service}', which does not"):
        [list(far) for _ in range(20)]
