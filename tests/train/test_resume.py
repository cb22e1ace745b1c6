"""A killed run goes on to the same end; a finished one does not train again."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import train

SCRIPT = Path(__file__).with_name("run_and_kill.py")
spec = importlib.util.spec_from_file_location("run_and_kill", SCRIPT)
run_and_kill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_and_kill)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(killed and resumed, uninterrupted): each a model and its callbacks; only the killed run has its own process."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "killed").mkdir()
    (folder / "killed" / "best.writing.keras").write_bytes(b"half a file")
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    killed = subprocess.run([sys.executable, str(SCRIPT), str(folder / "killed"), "kill"], env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert train.whole_epochs(folder / "killed") == 2
    with (folder / "killed" / "log.csv").open("a") as log:
        log.write("2,0.1,0.1,0.1\n3,0.")  # rows of an epoch that was not saved, the second one incomplete
    seen = []
    spy = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    resumed = run_and_kill.fit(folder / "killed", extra=[spy])
    assert seen == [2, 3, 4]
    return resumed, run_and_kill.fit(folder / "whole"), folder


@pytest.mark.parametrize("which", ["variables", "optimizer"])
def test_resumed_run_ends_like_an_uninterrupted_one(runs, which):
    (resumed, _), (whole, _), _ = runs
    of = (lambda model: model.variables) if which == "variables" else (lambda model: model.optimizer.variables)
    for a, b in zip(of(resumed), of(whole), strict=True):
        # Threads of another process may add in another order, unless op determinism is enabled.
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=1e-6, err_msg=a.path)


def test_dropout_seed_went_on(runs):
    (resumed, _), _, _ = runs
    seeds = [v.numpy() for v in resumed.variables if "seed" in v.path]
    assert [int(seed[1]) for seed in seeds] == [25]  # five epochs of five steps


def test_callbacks_remember(runs):
    (_, resumed), (_, whole), _ = runs
    for a, b in zip(resumed, whole, strict=False):
        for name in ("best", "best_epoch", "wait", "cooldown_counter"):
            assert getattr(a, name, None) == pytest.approx(getattr(b, name, None), abs=1e-6), (a, name)
    assert resumed[2].best_epoch in range(5)


def test_log_has_each_epoch_once(runs):
    folder = runs[2]
    resumed, whole = ((folder / name / "log.csv").read_text().splitlines() for name in ("killed", "whole"))
    assert resumed[0] == whole[0]
    assert [row.split(",")[0] for row in resumed[1:]] == ["0", "1", "2", "3", "4"]
    numbers = [[[float(cell) for cell in row.split(",")] for row in rows[1:]] for rows in (resumed, whole)]
    np.testing.assert_allclose(*numbers, atol=1e-6)


def test_best_model_is_that_of_the_best_epoch(runs):
    (model, _), _, folder = runs
    best = keras.saving.load_model(folder / "killed" / "best.keras")
    for a, b in zip(best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not list((folder / "killed").glob("*writing*"))


def test_finished_run_is_not_trained_again(runs, capsys):
    (model, _), _, folder = runs
    before = (folder / "killed" / "resume.npz").read_bytes()
    again, _ = run_and_kill.fit(folder / "killed")
    assert "nothing to train" in capsys.readouterr().out
    assert (folder / "killed" / "resume.npz").read_bytes() == before
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    run_and_kill.fit(folder / "killed", epochs=6)
    assert train.whole_epochs(folder / "killed") == 6


def test_another_model_is_refused(runs):
    with pytest.raises(ValueError, match=r"only be resumed with the same model.*kernel \(6, 16\).*kernel \(6, 17\)"):
        run_and_kill.fit(runs[2] / "whole", units=17)


def test_other_examples_are_refused(runs, tmp_path):
    batches = tf.data.Dataset.from_tensors(0)
    batches.fingerprint = "these"
    first = train.Resume(tmp_path, batches)
    first.set_model(runs[0][0])
    first.on_epoch_end(0, {"loss": 1.0})
    batches.fingerprint = "others"
    second = train.Resume(tmp_path, batches)
    second.set_model(runs[0][0])
    with pytest.raises(ValueError, match="with the same examples, seed and batch size.*Give a new run_dir"):
        second.on_train_begin()


def test_early_stop_holds_until_patience_grows(tmp_path, capsys):
    frozen = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_loss=1.0))
    chosen = {"epochs": 9}

    def fit(patience):
        model, data = run_and_kill.model(), run_and_kill.batches()
        callbacks = train.callbacks(tmp_path, data, patience=patience)
        model.fit(data, validation_data=data, verbose=0, callbacks=[frozen, *callbacks], **chosen)
        return train.whole_epochs(tmp_path)

    assert fit(2) == 3
    assert fit(2) == 3
    assert "stopped early after epoch 3" in capsys.readouterr().out
    assert fit(4) == 5


def test_wrong_monitor_is_named(tmp_path):
    model, data = run_and_kill.model(), run_and_kill.batches()
    with pytest.raises(ValueError, match=r"'val_los'.*Did you mean 'val_loss'"):
        model.fit(data, verbose=0, callbacks=train.callbacks(tmp_path, monitor="val_los"), validation_data=data)


def test_loss_that_is_not_finite_is_not_saved(tmp_path, capsys):
    model, data = run_and_kill.model(), run_and_kill.batches()
    nan = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epoch and logs.update(loss=np.nan))
    model.fit(data, epochs=2, verbose=0, callbacks=[nan, *train.callbacks(tmp_path, data, monitor="loss")])
    assert train.whole_epochs(tmp_path) == 1
    assert "not finite" in capsys.readouterr().out


def test_curves_are_drawn(runs):
    png = tf.io.decode_png((runs[2] / "killed" / "curves.png").read_bytes()).numpy()
    assert png.shape[0] > 250 and png.std() > 10


def test_run_folder_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    model, data = run_and_kill.model(), run_and_kill.batches()
    # Braces are literal, not placeholders of Keras.
    model.fit(data, verbose=0, callbacks=train.callbacks("~/runs/{a}", data, monitor="loss"))
    names = {path.name for path in (tmp_path / "runs" / "{a}").iterdir()}
    assert names == {"best.keras", "curves.png", "lock", "log.csv", "resume.npz"}
    assert train.whole_epochs("~/runs/{a}") == 1
    assert mm.load_model("~/runs/{a}/best.keras").count_params() == model.count_params()
