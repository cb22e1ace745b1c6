"""What a new user gets wrong in the first hour: each is refused at the front door, in short, with what to do."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm


@pytest.fixture(scope="module")
def it(raw, preprocess, specs, heads, scenes, tmp_path_factory):
    """All that the stumbles need."""
    folder = tmp_path_factory.mktemp("stumbles")
    tf.saved_model.save(tf.Module(), folder / "saved")
    (folder / "empty").mkdir()
    text, photo = specs[0], specs[1]
    branches = {
        "question": mm.branches.text.lstm(text, units=4, embed_dim=4),
        "photo": mm.branches.image.conv2d(photo, filters=(2,)),
    }
    model = mm.fusion_model(specs[:2], branches, mm.fusion.Concatenate(4), heads)
    model.compile("adam", **mm.heads.compile_for(heads))
    return SimpleNamespace(raw=raw, preprocess=preprocess, specs=specs, heads=heads, scenes=scenes, folder=folder,
                           frame=pd.read_csv(scenes), model=model, text=text, photo=photo, branches=branches,
                           unadapted=mm.preprocessor(specs))  # fmt: skip


def built(it, fusion=None, **branches):
    return mm.fusion_model(it.specs[:2], it.branches | branches, fusion or mm.fusion.Concatenate(4), it.heads)


def branch_of(spec, *outputs):
    """A branch that gives what `outputs` make of its pixels (B, D)."""
    inputs = {name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in spec.ready.items()}
    pixels = keras.layers.Flatten()(keras.ops.cast(inputs[spec.name], "float32"))
    made = [output(pixels) for output in outputs]
    return keras.Model(inputs, made[0] if len(made) == 1 else made)


class Joined(keras.layers.Layer):
    def call(self, tokens, masks):
        return tokens[0]


def own_data(label):
    one = {"question": "what?", "photo": b"", "voice": b"", "hour": 1.0, "room": "office"}
    labels = {"answer": label, "objects": np.zeros(4, "float32"), "loudness": np.float32([1])}
    return tf.data.Dataset.from_tensors(one | labels).repeat(4)


def own_pairs():
    names = ["question", "photo", "voice", "hour", "room"]
    return own_data(1).map(lambda one: ({name: one[name] for name in names}, one["answer"]))


def own_batches(label):
    ready = {"question": tf.zeros([4, 3], tf.int32), "question_mask": tf.ones([4, 3], tf.bool)}
    ready |= {"photo": tf.zeros([4, 24, 24, 3], tf.uint8), "photo_mask": tf.ones([4, 1], tf.bool)}
    labels = {"answer": label, "objects": tf.zeros([4, 4]), "loudness": tf.zeros([4, 1])}
    return tf.data.Dataset.from_tensors((ready, labels))


NOT_ADAPTED = "not learned yet. Call preprocess = mm.adapt(preprocess, raw)"
MAKE_BATCHES = "Give mm.data.train_batches(raw, preprocess) to fit, and mm.data.eval_batches(raw, preprocess)"
READ = "Read it first: raw = mm.data.from_dataframe(frame, specs, heads)"
STUMBLES = {
    "forgotten adapt": (lambda it: mm.data.train_batches(it.raw, it.unadapted, batch_size=8), NOT_ADAPTED),
    "pairs to adapt": (lambda it: mm.adapt(it.unadapted, own_pairs()), "Received: tuples of 2, the first a dict of "
                       "['question', 'photo', 'voice', 'hour', 'room']. Convert them to dicts: "
                       "raw.map(lambda inputs, labels: inputs)"),
    "pairs to train_batches": (lambda it: mm.data.train_batches(own_pairs(), it.preprocess, it.heads),
                               'raw.map(lambda inputs, label: {**inputs, "HEAD": label})'),
    "batches to adapt": (lambda it: mm.adapt(it.unadapted, own_data(1).batch(2)),
                         "adapt takes single examples. Received: batches, with 'question' of shape (None,)"),
    "batches to eval_batches": (lambda it: mm.data.eval_batches(own_data(1).batch(2), it.preprocess, it.heads),
                                "eval_batches takes single examples. Received: batches"),
    "forgotten adapt, cached": (lambda it: mm.data.eval_batches(it.raw, it.unadapted, cache="memory"), NOT_ADAPTED),
    "forgotten adapt, mapped": (lambda it: it.raw.select(list(it.unadapted.input)).batch(4).map(it.unadapted),
                                NOT_ADAPTED),
    "raw to fit": (lambda it: it.model.fit(it.raw), "fit takes batches of ready tensors by name. Received: raw examples"
                   ", with ['question', 'photo', 'voice', 'hour', 'room', 'answer', 'objects', 'loudness']. "
                   + MAKE_BATCHES),
    "raw batches to fit": (lambda it: it.model.fit(it.raw.batch(4)), MAKE_BATCHES),
    "raw to validate": (lambda it: it.model.fit(own_batches(tf.zeros(4)), validation_data=it.raw), MAKE_BATCHES),
    "raw to evaluate": (lambda it: it.model.evaluate(it.raw), MAKE_BATCHES),
    "raw to predict": (lambda it: it.model.predict(it.raw.batch(4)), MAKE_BATCHES),
    "raw to the model": (lambda it: it.model({"question": ["what?"], "photo": [b""]}),
                         "These are raw values: feed what preprocess makes of them."),
    "raw to report": (lambda it: mm.evaluate.report(it.model, it.raw), "mm.data.eval_batches(raw, preprocess)"),
    "labels to preprocess": (lambda it: it.raw.batch(4).map(it.preprocess),
                             "Labels are no inputs: mm.data.train_batches and eval_batches keep the two apart."),
    "table to train_batches": (lambda it: mm.data.train_batches(it.frame, it.preprocess),
                               f"train_batches takes raw examples: mm.data.Examples, or any tf.data.Dataset of dicts. "
                               f"Received: DataFrame. {READ}"),
    "table to eval_batches": (lambda it: mm.data.eval_batches(it.frame, it.preprocess), READ),
    "table to fit": (lambda it: it.model.fit(it.frame, it.frame["answer"]), f"Received: DataFrame. {READ}"),
    "columns to fit": (lambda it: it.model.fit(dict(it.frame), it.frame["answer"]), "Received: raw examples, with"),
    "table to predict": (lambda it: it.model.predict(it.frame), READ),
    "table to adapt": (lambda it: mm.adapt(it.unadapted, it.frame), READ),
    "table to split": (lambda it: mm.data.split(it.frame), READ),
    "table to from_csv": (lambda it: mm.data.from_csv(it.frame, it.specs), "call mm.data.from_dataframe(frame"),
    "path to train_batches": (lambda it: mm.data.train_batches("train.csv", it.preprocess),
                              "Received: str 'train.csv'. Read it first: raw = mm.data.from_csv(path, specs, heads)"),
    "path to from_dataframe": (lambda it: mm.data.from_dataframe(str(it.scenes), it.specs), "Read a path with mm"),
    "rows to train_batches": (lambda it: mm.data.train_batches([{"question": "what?"}], it.preprocess),
                              "Received: list. Make a table of it, frame = pandas.DataFrame(rows), and read that"),
    "adapt, swapped": (lambda it: mm.adapt(it.raw, it.preprocess), "two arguments are swapped."),
    "adapt of specs": (lambda it: mm.adapt(it.specs, it.raw), "preprocess = mm.adapt(mm.preprocessor(specs), raw)"),
    "train_batches, swapped": (lambda it: mm.data.train_batches(it.preprocess, it.raw), "two arguments are swapped"),
    "fusion as class": (lambda it: built(it, mm.fusion.Attention),
                        "Received: the class Attention. Create one: mm.fusion.Attention()."),
    "fusion as string": (lambda it: built(it, "low_rank_bilinear"), "Create one: mm.fusion.LowRankBilinear()."),
    "layer of Keras as fusion": (lambda it: built(it, keras.layers.Concatenate()),
                                 "A fusion is called as fusion(tokens, masks)"),
    "plain model as branch": (lambda it: built(it, photo=keras.Sequential([keras.layers.Flatten()], name="own")),
                              "Received: 'own' for 'photo', a Sequential. Wrap it: "
                              "mm.branches.from_model(spec, model)"),
    "fusion of a hybrid": (lambda it: mm.hybrid_fusion_model(it.specs[:2], it.branches, "mlp", it.heads),
                           "Create one: mm.fusion.MLP()."),
    "branches swapped": (lambda it: built(it, question=it.branches["photo"], photo=it.branches["question"]),
                         "Received: under 'question', the branch of 'photo'. Are the two swapped?"),
    "branch as function": (lambda it: built(it, question=mm.branches.text.lstm),
                           "Received: the function lstm for 'question'. Call it with the spec"),
    "branch as string": (lambda it: built(it, photo="conv2d"), "Received: str 'conv2d' for 'photo'. Call a function"),
    "branches as list": (lambda it: mm.fusion_model(it.specs[:2], list(it.branches), mm.fusion.MLP(), it.heads),
                         "Give {'question': ..., 'photo': ...}"),
    "branch without mask": (lambda it: built(it, photo=branch_of(it.photo, keras.layers.Dense(4))),
                            "tokens (B, T, D) and their mask (B, T) bool. Received: (None, 4) float32 from that of "
                            "'photo'. Turn a vector (B, D) into one token with keras.ops.expand_dims(vector, 1)"),
    "vectors for tokens": (lambda it: built(it, photo=branch_of(it.photo, keras.layers.Dense(4), lambda x: x > 0)),
                           "Received: (None, 4) float32, (None, 1728) bool"),
    "fusion of rank 3": (lambda it: built(it, Joined(name="joined")),
                         "A fusion must return one vector per example, (B, D). Received: (None, 1, 4) from joined."),
    "one share": (lambda it: mm.data.split(it.raw, 0.9), "Received: 0.9. For nine tenths and the rest give (0.9, 0.1)"),
    "shares as rows": (lambda it: mm.data.split(it.raw, (100, 20)), "numbers of rows are divided by their sum"),
    "string labels": (lambda it: mm.data.train_batches(own_data("red"), it.preprocess, it.heads, batch_size=2),
                      "'answer' is int32 of shape (). Received: string of shape (). Read the data set with "
                      "mm.data.from_dataset(dataset, specs, heads)"),
    "labels of one more axis": (lambda it: mm.data.eval_batches(own_data([1]), it.preprocess, it.heads), "shape (1,)"),
    "string labels to fit": (lambda it: it.model.fit(own_batches(tf.constant(["red"] * 4))),
                             "Received: strings for ['answer']"),
    "misspelt loss": (lambda it: it.model.compile("adam", loss={"anser": "mse"}),
                      "Unknown: ['anser' Did you mean 'answer'?]. Name each loss after an output."),
    "class_weight": (lambda it: it.model.fit(own_batches(tf.zeros(4)), class_weight={0: 2.0, 1: 1.0}),
                     'class_weights="balanced" and heads = mm.heads.adapt(heads, raw)'),
    "load a SavedModel": (lambda it: mm.load_model(it.folder / "saved"), "load the .keras file of the model that was"),
    "load a folder": (lambda it: mm.load_model(it.folder / "empty"), "is a folder without a .keras file in it"),
    "misspelt": (lambda it: mm.Txt("review"), "module 'mmkeras' has no attribute 'Txt'. Did you mean 'Text'?"),
    "specs as names": (lambda it: mm.preprocessor(["review"]), "such as mm.Text(name). Received: str 'review'"),
    "heads for specs": (lambda it: mm.data.from_csv(it.scenes, it.heads, it.specs), "Heads come after the specs."),
    "heads as names": (lambda it: mm.heads.compile_for(["answer"]), "Received: str 'answer'"),
}  # fmt: skip


@pytest.mark.parametrize("stumble", STUMBLES)
def test_a_stumble_is_told_in_short_with_what_to_do(it, stumble):
    does, says = STUMBLES[stumble]
    with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
        does(it)
    told = str(caught.value)
    assert says in told
    assert len(told) < 600
    assert "in user code" not in told


def test_the_call_that_is_put_right_works(it):
    model = keras.models.clone_model(it.model)
    model.compile("adam", **mm.heads.compile_for(it.heads))
    wrong = own_batches(tf.zeros([4, 3]))  # detected while the step is traced
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError):
            call(wrong, verbose=0)
        call(own_batches(tf.zeros(4)), verbose=0)
