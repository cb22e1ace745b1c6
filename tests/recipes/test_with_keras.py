"""What Keras users do beyond `fit`: own layers, losses, training steps, callbacks, tuners and models around models."""

import pytest


@pytest.fixture(scope="module")
def run(start, tmp_path_factory):
    return start("with_keras", tmp_path_factory.mktemp("with_keras"), "--smoke", "--seed", 3)


def test_one_file_of_preprocessing_and_own_layers_answers_as_before(run):
    assert 0 <= run.report["parity_max_abs"] <= 1e-6
    assert (run.folder / run.report["export"]).is_file()


def test_tensorboard_has_its_files_and_keras_tuner_its_choice(run):
    assert list((run.folder / "runs/tiny/tensorboard").rglob("events.out.tfevents.*"))
    try:
        import keras_tuner  # noqa: F401
    except ImportError:
        assert run.report["tuned"] is None
    else:
        assert set(run.report["tuned"]) == {"filters", "dim", "optimizer"}


def test_it_learned_from_the_training_part_and_no_warning_distracts(run):
    assert run.report["n_train"] == 90 and run.report["n"] == 18 and run.report["skipped"] == 0
    assert "Warning" not in run.said and "WARNING" not in run.said
