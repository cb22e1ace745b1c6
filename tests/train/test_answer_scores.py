"""Early stopping on the error rate of what the model really answers."""

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras import train
from mmkeras.contract import NamedModel

HEAD = mm.heads.transcription("said", vocabulary=["a", "b"], max_tokens=3)
X = {"x": np.random.default_rng(0).normal(size=(8, 3, 2)).astype("float32"), "x_mask": np.ones((8, 3), bool)}
Y = {"said": HEAD.targets(HEAD.encode(["a b"] * 8))}


def model():
    x = {"x": keras.Input((3, 2), name="x"), "x_mask": keras.Input((3,), dtype="bool", name="x_mask")}
    made = NamedModel.of(x, {"said": HEAD.output(tuple(x.values()))}, heads=[HEAD])
    made.compile(keras.optimizers.SGD(0.01), loss=HEAD.loss())
    return made


class Scripted(train.AnswerScores):
    """Error rates as they are given, in place of those of the answers."""

    def __init__(self, rates, **arguments):
        super().__init__([(X, Y)], **arguments)
        self.rates, self.weights = iter(rates), []

    def _scores(self):
        assert set(super()._scores()) == {f"val_said_answer_{key}" for key in ("wer", "cer", "exact")}
        self.weights.append(self.model.get_weights())
        return {"val_said_answer_wer": next(self.rates)}


def fit(made, scores, folder, **arguments):
    callbacks = train.callbacks(folder, monitor="val_said_answer_wer", others=[scores], **arguments)
    return made.fit(X, Y, batch_size=8, epochs=12, verbose=0, callbacks=callbacks, shuffle=False).history


def test_training_stops_on_the_error_rate_and_the_best_weights_are_kept(tmp_path):
    made, scores = model(), Scripted([0.9, 0.3, 0.6, 0.5], every=2)
    history = fit(made, scores, tmp_path, patience=5)
    # Evaluated after epochs 1, 2, 4 and 6; five epochs after the best one, it stops.
    assert history["val_said_answer_wer"] == [0.9, 0.3, 0.3, 0.6, 0.6, 0.5, 0.5]
    for kept in (made.get_weights(), mm.load_model(tmp_path / "best.keras").get_weights()):
        assert all(map(np.array_equal, kept, scores.weights[1]))
    assert not all(map(np.array_equal, scores.weights[1], scores.weights[3]))
    assert pd.read_csv(tmp_path / "log.csv")["val_said_answer_wer"].tolist() == history["val_said_answer_wer"]
    again = Scripted([], every=2)
    assert fit(model(), again, tmp_path, patience=5) == {} and again.last_scores == {"val_said_answer_wer": 0.5}


def test_directions_are_known():
    made = model()
    made.train_on_batch(X, Y)
    modes = {key: train.direction(made, f"val_said_answer_{key}") for key in ("wer", "cer", "exact")}
    assert modes == {"wer": "min", "cer": "min", "exact": "max"}
    with pytest.raises(ValueError, match="whose direction is known. Received: monitor='val_said_answer_bleu'"):
        train.direction(made, "val_said_answer_bleu")


def test_what_is_wrong_is_told():
    with pytest.raises(ValueError, match=r"every of 'AnswerScores' must be positive. Received: every=0"):
        train.AnswerScores([], every=0)
    nothing = train.AnswerScores(iter([]))
    nothing.set_model(model())
    nothing.on_train_begin()
    with pytest.raises(ValueError, match="needs texts of head 'said'. Received: batches without any. Give"):
        nothing.on_epoch_end(0, {})
    x = keras.Input((1,), name="x")
    scores = train.AnswerScores([], [mm.heads.regression("y")])
    scores.set_model(keras.Model({"x": x}, {"y": x}))
    with pytest.raises(ValueError, match=r"AnswerScores needs a head whose answers are texts.*\['regression'\]"):
        scores.on_train_begin()
