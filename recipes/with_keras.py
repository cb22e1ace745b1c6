"""What Keras users do beyond `fit`, with models of this package: about ten lines each.

    python recipes/with_keras.py

    1. preprocessing inside one's own functional model: strings and files in, one .keras file
    2. an own layer in an own branch, and an own loss
    3. an own train_step
    4. TensorBoard
    5. keras_tuner, where it is installed (pip install "mmkeras[tuner]")

Nothing here is special to this package: models are functional keras.Models, batches are tf.data.Datasets. The files are
generated: a picture of two shapes, and a question about it.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import tensorflow as tf

import mmkeras as mm
from mmkeras.branches import image, text
from mmkeras.contract import NamedModel


def main(args):
    started = time.perf_counter()
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns about several models in one process
    keras.utils.set_random_seed(args.seed)
    out = Path(args.out or ("runs/with_keras-smoke" if args.smoke else "runs/with_keras"))
    size, epochs = (120, 1) if args.smoke else (2400, args.epochs)
    data = Path(args.data or mm.data.generate.scenes(out / "data", n=size, seed=args.seed, size=32).parent)

    specs = [mm.Text("question", max_tokens=24), mm.Image("photo", size=(32, 32))]
    heads = [mm.heads.classification("answer", classes=mm.data.generate.ANSWERS)]
    raw = mm.data.from_csv(data / "examples.csv", specs, heads)
    raw_train, raw_valid, raw_test = mm.data.split(raw, (0.75, 0.1, 0.15), seed=args.seed, group="scene")
    preprocess = mm.adapt(mm.preprocessor(specs), raw_train)
    question, photo = specs = preprocess.specs
    train = mm.data.train_batches(raw_train, preprocess, batch_size=32, seed=args.seed, cache="memory")
    valid = mm.data.eval_batches(raw_valid, preprocess, cache="memory")
    test = mm.data.eval_batches(raw_test, preprocess, cache="memory")

    # 2. A custom branch is a keras.Model from ready tensors to tokens (B, T, D) and their mask (B, T); a custom loss
    # replaces that of the head.
    branches = {"question": own_branch(question), "photo": image.conv2d(photo, filters=(16, 32))}
    built = mm.fusion_model(specs, branches, mm.fusion.Concatenate(64), heads)
    arguments = mm.heads.compile_for(heads) | {"loss": {"answer": poly_loss}}

    # 3. A custom train_step, in a subclass with the same inputs and outputs.
    model = NoisyGradients.of(built.input, built.output, built.specs, built.heads)
    model.compile(mm.train.adamw(train, epochs=epochs, peak=3e-3), **arguments)

    # 4. Keras' callbacks, together with those of the package. View the logs with: tensorboard --logdir OUT
    board = keras.callbacks.TensorBoard(out / "tensorboard")
    callbacks = mm.train.callbacks(out / f"training-{epochs}-epochs-seed-{args.seed}", train, others=[board])
    model.fit(train, validation_data=valid, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=2)
    scores = mm.evaluate.summary(mm.evaluate.report(model, test, out_dir=out / "evaluation", train=raw_train))

    if args.test:
        other = mm.data.eval_batches(mm.data.from_csv(Path(args.test, "examples.csv"), specs, heads), preprocess)
        scores["other_test"] = mm.evaluate.summary(mm.evaluate.report(model, other))

    # 1. preprocess and model become layers of a model of strings; other layers may come between them.
    inputs = {name: keras.Input((), dtype="string", name=name) for name in preprocess.input}
    answer = model(preprocess(inputs))["answer"]
    two_best = keras.ops.top_k(answer, 2)[1]
    whole = keras.Model(inputs, {"answer": answer, "two_best": two_best})
    whole.save(out / "whole.keras")
    samples = next(iter(raw_test.batch(8)))
    again = mm.load_model(out / "whole.keras")({name: samples[name] for name in inputs})
    apart = np.abs(again["answer"] - model(preprocess({name: samples[name] for name in inputs}))["answer"]).max()

    report = {
        **scores,
        "parity_max_abs": float(apart),
        "n_train": len(raw_train.frame),
        "skipped": len({*train.skipped, *valid.skipped, *test.skipped}),
        "export": str(out / "whole.keras"),
        "tuned": tuned(out, specs, heads, train, valid, epochs),
        "seed": args.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"Answered {scores['accuracy']:.3f} of {scores['n']} questions. Written: {out}/report.json, whole.keras, "
          "training, evaluation, tensorboard")  # fmt: skip


@keras.saving.register_keras_serializable("recipes")
class WeighedWords(keras.layers.Layer):
    """The sum of word vectors (B, T, D), each by a weight that is learned; padding has none. -> (B, D)"""

    def build(self, tokens_shape, real_shape):
        self.scorer = keras.layers.Dense(1)
        self.scorer.build(tokens_shape)

    def call(self, tokens, real):  # not called "mask", which Keras reserves for its implicit masks
        scores = keras.ops.where(real, self.scorer(tokens)[..., 0], -1e4)
        return keras.ops.sum(keras.ops.softmax(scores)[..., None] * tokens, axis=1)


def own_branch(spec):
    # Any model works; this one extends a branch of the package.
    words = text.transformer(spec, dim=32, num_heads=2, num_layers=1)
    tokens, mask = words.output
    pooled = WeighedWords(name="weighed")(tokens, mask)
    there = keras.ops.any(mask, axis=1, keepdims=True)
    return keras.Model(words.input, [keras.ops.expand_dims(pooled, 1), there], name=words.name)


@keras.saving.register_keras_serializable("recipes")
def poly_loss(y_true, y_pred):
    """Crossentropy and the score that the truth lacks (Leng et al., arXiv 2204.12511, equation 5)."""
    truth = keras.ops.sum(keras.ops.one_hot(keras.ops.reshape(y_true, (-1,)), y_pred.shape[-1]) * y_pred, axis=-1)
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred) + (1.0 - truth)


@keras.saving.register_keras_serializable("recipes")
class NoisyGradients(NamedModel):
    """Adds a little noise to each gradient (Neelakantan et al., arXiv 1511.06807)."""

    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            answers = self(x, training=True)
            loss = self.compute_loss(x, y, answers, weight)
        gradients = map(tf.convert_to_tensor, tape.gradient(loss, self.trainable_variables))
        noisy = [gradient + tf.random.normal(gradient.shape, stddev=1e-4) for gradient in gradients]
        self.optimizer.apply(noisy, self.trainable_variables)
        self.metrics[0].update_state(loss)  # the mean that is shown as "loss"
        return self.compute_metrics(x, y, answers, weight)


def tuned(out, specs, heads, train, valid, epochs):
    """5. Settings that keras_tuner found best; None where it is not installed."""
    try:
        import keras_tuner
    except ImportError:
        return None

    def build(choice):
        words = text.conv1d(specs[0], filters=choice.Int("filters", 16, 64, step=16))
        branches = {"question": words, "photo": image.conv2d(specs[1], filters=(16, 32))}
        model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(choice.Choice("dim", [32, 64])), heads)
        model.compile(choice.Choice("optimizer", ["adam", "rmsprop"]), **mm.heads.compile_for(heads))
        return model

    tuner = keras_tuner.RandomSearch(build, "val_loss", max_trials=2, directory=out, project_name="tuner", seed=0)
    tuner.search(train, validation_data=valid, epochs=epochs, shuffle=False, verbose=0)
    return tuner.get_best_hyperparameters()[0].values


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder with examples.csv; without it files are generated")
    parser.add_argument("--test", help="folder with another examples.csv to answer")
    parser.add_argument("--out", help="folder of the run, runs/with_keras by default")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="of split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and one epoch, to see that everything works")
    main(parser.parse_args())
