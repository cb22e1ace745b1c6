"""Each contrastive loss against its equation, row by row."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mmkeras import losses

ROWS = 7
SCALE = 5.0


def vectors(seed=0, modalities=2, absent=()):
    """Unit vectors (7, 4) of each modality; `absent` holds (modality, row)."""
    x = np.random.default_rng(seed).normal(size=(modalities, ROWS, 4))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    for place in absent:
        x[place] = 0
    return list(x.astype("float32"))


def log_softmax(logits):
    return logits - np.log(np.sum(np.exp(logits)))


def info_nce(a, b, labels=None):
    """The equation, of the rows that have both."""
    there = [i for i in range(ROWS) if a[i].any() and b[i].any()]
    labels = np.arange(ROWS) if labels is None else labels
    total = 0
    for x, y in ((a, b), (b, a)):
        for i in there:
            found = log_softmax(SCALE * np.array([x[i] @ y[j] for j in there]))
            total -= np.mean([found[k] for k, j in enumerate(there) if labels[j] == labels[i]])
    return total / 2 / len(there)


def siglip(a, b, labels=None, bias=-2.0):
    there = [i for i in range(ROWS) if a[i].any() and b[i].any()]
    labels = np.arange(ROWS) if labels is None else labels
    total = 0
    for i in there:
        for j in there:
            z = 1 if labels[i] == labels[j] else -1
            total -= np.log(1 / (1 + np.exp(-z * (SCALE * a[i] @ b[j] + bias))))
    return total / len(there)


def supervised(views, labels):
    z = [(view[i], labels[i]) for view in views for i in range(ROWS) if view[i].any()]
    terms = []
    for i, (vector, label) in enumerate(z):
        others = [k for k in range(len(z)) if k != i]
        found = log_softmax(SCALE * np.array([vector @ z[k][0] for k in others]))
        positives = [found[n] for n, k in enumerate(others) if z[k][1] == label]
        terms += [-np.mean(positives)] if positives else []
    return np.mean(terms)


LABELS = np.array([0, 1, 0, 2, 1, 3, 0], "int32")
ABSENT = [(0, 1), (1, 1), (1, 4), (0, 5)]


@pytest.mark.parametrize("absent", [(), ABSENT], ids=["all", "some absent"])
@pytest.mark.parametrize("labels", [None, LABELS], ids=["rows", "labels"])
@pytest.mark.parametrize("chunk", [None, 3])
def test_info_nce_and_siglip_are_their_equations(absent, labels, chunk):
    pair, label = vectors(absent=absent), None if labels is None else "kind"
    given = {"kind": labels} if label else None
    found = losses.InfoNCE(label, chunk=chunk)(pair, given, scale=SCALE)
    np.testing.assert_allclose(found, info_nce(*pair, labels), rtol=1e-5)
    found = losses.SigLIP(label, chunk=chunk)(pair, given, scale=SCALE, bias=-2.0)
    np.testing.assert_allclose(found, siglip(*pair, labels), rtol=1e-5)


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("absent", [(), ABSENT], ids=["all", "some absent"])
def test_supervised_contrastive_is_its_equation(absent, chunk):
    views = vectors(absent=absent, modalities=3)
    found = losses.SupervisedContrastive("kind", chunk=chunk)(views, LABELS, scale=SCALE)
    np.testing.assert_allclose(found, supervised(views, LABELS), rtol=1e-5)


def test_three_modalities_are_the_mean_of_their_pairs():
    a, b, c = vectors(modalities=3, absent=ABSENT)
    expected = np.mean([info_nce(a, b), info_nce(a, c), info_nce(b, c)])
    np.testing.assert_allclose(losses.InfoNCE()({"a": a, "b": b, "c": c}, scale=SCALE), expected, rtol=1e-5)


def test_a_row_of_weight_0_takes_no_part():
    pair = vectors()
    weights = np.array([1, 1, 0, 1, 1, 1, 1], "float32")
    found = losses.InfoNCE()(pair, sample_weight=weights, scale=SCALE)
    without = vectors(absent=[(0, 2)])
    np.testing.assert_allclose(found, info_nce(*without), rtol=1e-5)
    doubled = losses.InfoNCE()(pair, sample_weight=2 * weights, scale=SCALE)
    np.testing.assert_allclose(doubled, 2 * found, rtol=1e-6)


def test_a_batch_without_a_pair_is_0_and_has_finite_gradients():
    pair = [tf.Variable(x) for x in vectors(absent=[(0, i) for i in range(ROWS)])]
    for loss in (losses.InfoNCE(), losses.SigLIP(), losses.SupervisedContrastive("kind")):
        with tf.GradientTape() as tape:
            found = loss(pair, np.arange(ROWS), scale=SCALE, bias=0.0)
        assert float(found) == 0
        assert all(np.isfinite(gradient).all() for gradient in tape.gradient(found, pair))


@pytest.mark.parametrize(
    "loss", [losses.InfoNCE, losses.SigLIP, lambda chunk=None: losses.SupervisedContrastive("kind", chunk=chunk)]
)
def test_chunks_have_the_same_gradients(loss):
    gradients = []
    for chunk in (None, 2):
        pair, scale, bias = [tf.Variable(x) for x in vectors()], tf.Variable(SCALE), tf.Variable(-1.0)

        @tf.function
        def value(chunk=chunk, pair=pair, scale=scale, bias=bias):
            with tf.GradientTape() as tape:
                found = loss(chunk=chunk)(pair, LABELS, scale=scale * 1.0, bias=bias * 1.0)
            return tape.gradient(found, [*pair, scale])

        gradients.append(value())
    for whole, parts in zip(*gradients, strict=True):
        np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_chunks_keep_no_more_than_their_own_logits():
    """Memory: no tensor of the graph is as large as all logits, but for sums over them."""

    def largest(chunk):
        x = tf.TensorSpec((256, 4), "float32")

        @tf.function(input_signature=[x, x])
        def gradient(a, b):
            with tf.GradientTape() as tape:
                tape.watch([a, b])
                found = losses.InfoNCE(chunk=chunk)([a, b], scale=SCALE)
            return tape.gradient(found, [a, b])

        graphs = [gradient.get_concrete_function().graph]
        sizes = []
        while graphs:
            graph = graphs.pop()
            operations = graph.get_operations()
            sizes += [output.shape.num_elements() or 0 for each in operations for output in each.outputs]
        return max(sizes)

    assert largest(None) == 256 * 256
    assert largest(16) <= 16 * 256


def test_config_round_trip():
    for loss in (losses.InfoNCE("kind", chunk=3), losses.SigLIP(chunk=2), losses.SupervisedContrastive("kind")):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
        assert type(again) is type(loss) and again.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: losses.InfoNCE(chunk=0), r"chunk must be a whole number above 0, or None. Received: chunk=0"),
        (lambda x: losses.InfoNCE()(x[:1]), r"compares two or more modalities. Received: 1"),
        (lambda x: losses.SigLIP()(x), r"SigLIP needs a bias. Received: bias=None. Build the model with dual_encoder"),
        (lambda x: losses.InfoNCE("kind")(x), r"Label 'kind' must be a class number .*Received: batches without"),
        (lambda x: losses.InfoNCE("kind")(x, {"kin": LABELS}), r"must hold the label 'kind'. Received: \['kin'\]. Did"),
        (lambda x: losses.InfoNCE("kind")(x, LABELS / 2), r"must be a class number \(B,\) int. Received: .*float64"),
        (
            lambda x: losses.InfoNCE()(x, sample_weight={"kind": LABELS}),
            r"Weights by head need label=.*weights of \['kind'\]",
        ),
    ],
)
def test_errors_name_the_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call(vectors())
