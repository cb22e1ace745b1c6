"""CTC from texts to texts: labels, loss, answers, and what is refused."""

import dataclasses
import re
import types

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras import heads
from mmkeras.heads.ctc import CTCLoss

HEAD = heads.transcription("said", vocabulary=["a", "b"], max_tokens=3)


def test_vocabulary_is_learned_from_the_labels_that_were_read():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "said": ["b  a", "b", "c\u0301 b"]})
    specs, head = [mm.Table("row", numeric=["x"])], heads.transcription("said", max_tokens=4)
    raw = mm.data.from_dataframe(frame, specs, [head])
    (found,) = heads.adapt([head], raw)
    assert found.vocabulary == (" b", " a", " \u0107") and found.width == 5
    preprocess = mm.adapt(mm.preprocessor(specs), raw, verbose=False)
    ((_, labels),) = mm.data.eval_batches(raw, preprocess, [found])
    assert labels["said"].numpy().tolist() == [[2, 3, 0, 0], [2, 0, 0, 0], [4, 2, 0, 0]]
    train = next(iter(mm.data.train_batches(raw, preprocess, [found], batch_size=3, cache="memory", verbose=False)))
    assert train[1]["said"].shape == (3, 4) and train[1]["said"].dtype == tf.int32
    with pytest.raises(ValueError, match=r"Head 'said' does not know its vocabulary yet.*heads.adapt\(heads, raw\)"):
        mm.data.eval_batches(raw, preprocess)


@pytest.mark.parametrize("units", ["words", "characters", "wordpiece"])
def test_what_was_learned_is_spelled_again(units):
    texts = ["ab abab", "b", "abb a"]
    head = heads.transcription("said", units=units, max_tokens=20)
    head = head.adapted(head.encode(texts))
    targets = head.targets(head.encode(texts))
    logits = head.constant(targets[:1])[None]
    assert head.decode(tf.constant(logits, tf.float32))["said"].numpy().tolist() == [b"ab abab"]
    assert heads.Transcription.from_config(head.get_config()) == head


def test_loss_is_that_of_the_real_time_steps():
    rng = np.random.default_rng(0)
    tokens, mask = keras.Input((6, 4)), keras.Input((6,), dtype="bool")
    model = keras.Model([tokens, mask], HEAD.output((tokens, mask)))
    x, lengths = rng.normal(size=(4, 6, 4)).astype("float32"), np.array([6, 3, 2, 1])
    logits = model([x, np.arange(6) < lengths[:, None]])
    targets = np.array([[2, 3, 2], [2, 0, 0], [0, 0, 0], [3, 0, 0]])  # including an empty one
    expected = tf.nn.ctc_loss(targets, logits, [3, 1, 0, 1], lengths, logits_time_major=False, blank_index=0)
    np.testing.assert_allclose(CTCLoss(reduction=None)(targets, logits), expected, rtol=1e-4)
    assert logits.dtype == tf.float32


def test_metric_is_the_word_error_rate():
    (metric,) = HEAD.metrics("said_")
    logits = np.stack([HEAD.constant(np.array([row])) for row in ([2, 3, 0], [2, 2, 0])])
    metric.update_state(np.array([[2, 3, 0], [3, 2, 3]]), logits, np.array([1.0, 1.0]))
    assert metric.name == "said_wer" and float(metric.result()) == pytest.approx(2 / 5)
    assert metric._direction == "down"


def test_missing_and_empty_labels():
    assert np.asarray(HEAD.labelled(HEAD.targets(HEAD.blank[None]))).tolist() == [False]
    silent = heads.transcription("said", vocabulary=["a"], allow_empty=True)
    assert not silent.is_missing("") and silent.is_missing(None)
    assert silent.targets(silent.encode([""])).sum() == 0 and np.asarray(silent.labelled(silent.encode([""])))[0]


def test_texts_of_one_character():
    head = heads.transcription("said", units="characters", max_tokens=1)
    head = head.adapted(head.encode(["x", "y"]))
    assert head.targets(head.encode(["y", "x"])).tolist() == [[3], [2]]
    tokens = np.zeros((2, 1, 4), "float32"), np.array([[True], [False]])
    logits = head.output(tokens)
    assert np.isfinite(CTCLoss(reduction=None)(np.array([[3], [2]]), logits)[0])
    assert head.decode(logits)["said"][1] == b""


@pytest.mark.parametrize("units", ["words", "characters", "wordpiece"])
def test_answers_are_held_to_a_grammar_or_a_lexicon(units):
    texts = ["bin red", "bin blue", "set red", "set blue now"]
    head = heads.transcription("said", units=units, max_tokens=20)
    head = head.adapted(head.encode(texts))
    wrong = head.targets(head.encode(["set set"]))
    logits = tf.constant(head.constant(wrong)[None], tf.float32)
    grammar = dataclasses.replace(head, grammar=[["bin", "set"], ["red", "blue"]])
    lexicon = dataclasses.replace(head, lexicon=["bin  red", "set blue now"])
    assert head.decode(logits)["said"].numpy().tolist() == [b"set set"]
    assert grammar.decode(logits)["said"].numpy()[0] in (b"set red", b"set blue")
    assert lexicon.decode(logits)["said"].numpy()[0] in (b"bin red", b"set blue now")
    assert heads.Transcription.from_config(grammar.get_config()) == grammar
    assert set(grammar.describe()["allowed"]) == {"units", "before", "begins", "ends"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HEAD.encode(["a", "a b a b"]), "max_tokens=3 time steps.*Received: 4, 'a b a b' in row 1"),
        (lambda: HEAD.encode(["a a b"], ["r7"]), "more between equal neighbours. Received: 4, 'a a b' in row r7"),
        (lambda: HEAD.encode(["a", ""]), "every example needs a text. Received: '' in row 1.*allow_empty=True"),
        (lambda: HEAD.encode(["a\0"]), "holds no NUL character"),
        (lambda: HEAD.encode(["x" * 49]), "may have 48 characters. Received: 49, .* in row 0.*max_characters="),
        (lambda: heads.transcription("s", units="phones"), "units of 's' must be one of"),
        (lambda: heads.transcription("s", vocabulary=["a", " a"]), r"each once. Received: \[' a'\]"),
        (lambda: heads.transcription("s", vocabulary_size=2), "vocabulary_size of 's' must exceed 2"),
        (lambda: heads.transcription("s", beams=0), "beams of 's' must be positive"),
        (lambda: HEAD.output(keras.Input((4,))), "reads tokens.*Build the model with mm.transcriber"),
        (
            lambda: HEAD.output((keras.Input((2, 4)), keras.Input((2,), dtype="bool"))),
            "as many time steps as a label may: max_tokens=3. Received: 2 time steps. Pool time less",
        ),
        (lambda: heads.transcription("s", lexicon=["a"], beams=2), "takes lexicon= or grammar=, and then one beam"),
        (lambda: heads.transcription("s", grammar=["bin", "set"]), "must hold places, each a list"),
        (
            lambda: heads.transcription("s", lexicon=["a", " "]),
            "lexicon of 's' must be a list of texts",
        ),
        (lambda: heads.transcription("s", vocabulary=["a"], grammar=[["a", "b"]]), "vocabulary spells. Received: 'b'"),
        (lambda: HEAD.averageable(np.zeros((1, 3))), "Texts cannot be averaged.*Leave augment.mix out"),
        (lambda: heads.transcription("s").adapted(np.zeros((2, 5))), "2 labels, all of them empty"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        make()


def test_a_model_answers_with_its_own_vocabulary():
    model = types.SimpleNamespace(heads=[HEAD], name="m")
    other = heads.transcription("said", vocabulary=["b", "a"], max_tokens=3)
    with pytest.raises(ValueError, match=re.escape("Head 'said' must be the one that model 'm' was built with")):
        heads.heads_of(model, [other])
