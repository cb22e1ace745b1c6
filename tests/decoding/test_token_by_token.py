"""Token by token: caches against the whole sequence, beams against all sequences, draws against the distribution."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import mmkeras as mm
from mmkeras.decoding import Beam, Greedy, Sampling, uniform
from mmkeras.layers import TokenDecoder

LENGTH, SIZE = 4, 5  # ids: padding, unknown, two words, the end
END = SIZE - 1


@pytest.fixture(scope="module")
def decoder(memory):
    """A decoder of random weights, by which its answers to the memories differ."""
    decoder, rng = TokenDecoder(SIZE, max_tokens=LENGTH, dim=8, num_heads=2), np.random.default_rng(3)
    decoder.build((None, None, 3))
    for _ in range(50):
        for weight in decoder.weights:
            weight.assign(rng.normal(size=weight.shape) * 0.7)
        if len(np.unique(Greedy(decoder).answer(*memory), axis=0)) > 3:
            return decoder
    raise ValueError("No draw of the weights makes a decoder whose answers differ.")


@pytest.fixture(scope="module")
def memory():
    """16 memories of 0 to 5 real tokens, and their masks."""
    tokens = np.random.default_rng(0).normal(size=(16, 5, 3)).astype("float32")
    return tf.constant(tokens), tf.constant(np.arange(5) < np.arange(16)[:, None] % 6)


def log_probabilities(decoder, memory, sequences):
    """log p of each of the sequences (n, L), for each memory: (B, n); only what can be said has a share."""
    tokens, mask = (tf.repeat(part, len(sequences), axis=0) for part in memory)
    labels = np.tile(sequences, (len(memory[0]), 1)).astype("int32")
    logits = decoder(tokens, mask, labels).numpy()
    logits[..., :2] = -np.inf
    shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    each = np.take_along_axis(shares, labels[..., None], -1)[..., 0]
    return np.where(labels > 0, each, 0).sum(-1).reshape(len(memory[0]), len(sequences))


def every_sequence():
    """All that can be said in LENGTH tokens: words up to the end, or to the last place."""
    for length in range(LENGTH + 1):
        for words in itertools.product((2, 3), repeat=length):
            row = [*words, END][:LENGTH]
            yield row + [0] * (LENGTH - len(row))


def test_cached_steps_equal_the_whole_sequence(decoder, memory):
    ids, readable, caches = decoder.start(memory[0])
    labels = np.random.default_rng(1).integers(2, SIZE, (16, LENGTH)).astype("int32")
    whole = decoder(*memory, labels).numpy()
    for i in range(LENGTH):
        logits, caches = decoder.step(ids, tf.constant(i), caches, readable, memory[1])
        np.testing.assert_allclose(logits, whole[:, i], atol=1e-5)
        ids = tf.constant(labels[:, i])


def test_greedy_takes_the_best_of_what_the_whole_sequence_says(decoder, memory):
    answers = Greedy(decoder).answer(*memory).numpy()
    logits = decoder(*memory, answers).numpy()[..., 2:]
    real = answers > 0
    assert (logits.argmax(-1) + 2 == answers)[real].all() and len(np.unique(answers, axis=0)) > 2
    ended = np.cumsum(answers == END, 1) - (answers == END) > 0
    assert (real == ~ended).all()
    np.testing.assert_array_equal(Greedy(decoder)(*memory), np.where(answers == END, 0, answers))


@pytest.mark.parametrize("penalty", [0.0, 0.7, 2.0])
def test_a_wide_beam_finds_the_best_of_all_sequences(decoder, memory, penalty):
    sequences = np.array(list(every_sequence()))
    scores = log_probabilities(decoder, memory, sequences) / np.maximum((sequences > 0).sum(1), 1) ** penalty
    found = Beam(decoder, beams=len(sequences), length_penalty=penalty).answer(*memory)
    np.testing.assert_array_equal(found, sequences[scores.argmax(1)])


def test_one_beam_is_greedy_and_beams_that_keep_all_beginnings_are_never_worse(decoder, memory):
    greedy, one, many = (
        each.answer(*memory) for each in (Greedy(decoder), Beam(decoder, beams=1), Beam(decoder, beams=16))
    )
    np.testing.assert_array_equal(greedy, one)
    scores = [np.diag(log_probabilities(decoder, memory, rows.numpy())) for rows in (greedy, many)]
    assert (scores[1] >= scores[0] - 1e-5).all()


@pytest.mark.parametrize("arguments", [{}, {"temperature": 2.0}, {"top_k": 2}, {"top_p": 0.5}, {"top_p": 0.9}])
def test_draws_have_the_distribution_that_was_asked_for(decoder, memory, arguments):
    """Chi-squared of the first tokens, at the risk of 0.001, of the memory for which they are most even."""
    firsts = decoder(*memory, np.zeros((16, LENGTH), "int32")).numpy()[:, 0, 2:].astype("float64")
    row = np.ptp(firsts, axis=1).argmin()
    shares = np.exp(firsts[row] / arguments.get("temperature", 1.0))
    shares, order = shares / shares.sum(), np.argsort(-firsts[row])
    before = np.cumsum(shares[order]) - shares[order]
    dropped = order[(before >= arguments.get("top_p", 1.0)) | (np.arange(3) >= arguments.get("top_k", 3))]
    shares[dropped] = 0
    n = 4000
    tokens, mask = (tf.repeat(part[row : row + 1], n, axis=0) for part in memory)
    rows = Sampling(decoder, **arguments).answer(tokens, mask, tf.constant(uniform(5, n=n, max_tokens=LENGTH))).numpy()
    counts = np.bincount(rows[:, 0], minlength=SIZE)[2:]
    assert counts[dropped].sum() == 0
    expected = n * shares / shares.sum()
    assert expected[shares > 0].min() > 5
    if (shares > 0).sum() > 1:
        assert stats.chisquare(counts[shares > 0], expected[shares > 0]).pvalue > 1e-3


def test_draws_are_repeated_by_the_same_numbers(decoder, memory):
    by_numbers, by_seed = Sampling(decoder), Sampling(decoder, seed=1)
    numbers = tf.constant(uniform(0, n=16, max_tokens=LENGTH))
    assert (by_numbers(*memory, uniform=numbers) == by_numbers(*memory, uniform=numbers)).numpy().all()
    assert (by_seed(*memory) == by_seed(*memory)).numpy().all()
    alone = [by_seed(*(part[i : i + 1] for part in memory))[0] for i in range(16)]
    np.testing.assert_array_equal(by_seed(*memory), alone)  # whatever else is in the batch
    others = by_numbers(*memory, uniform=tf.constant(uniform(1, n=16, max_tokens=LENGTH)))
    assert (by_numbers(*memory, uniform=numbers) != others).numpy().any()
    top = Sampling(decoder, top_k=1, seed=0)(*memory)
    np.testing.assert_array_equal(top, Greedy(decoder)(*memory))
    with pytest.raises(
        ValueError, match=r"needs a seed, or uniform random numbers as an input. Received: neither. Give seed="
    ):
        by_numbers(*memory)


def test_where_nothing_is_there_nothing_is_read(decoder, memory):
    tokens, mask = memory
    nothing = tf.zeros_like(mask)
    labels = np.full((16, LENGTH), 2, "int32")
    here, there = decoder(tokens, nothing, labels), decoder(tokens * 100 + 7, nothing, labels)
    np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(here[0], here[1])


def test_a_seed_is_a_whole_number(decoder):
    with pytest.raises(ValueError, match="seed of 'sampling.*' must be None or a whole number.* Received: -1"):
        Sampling(decoder, seed=-1)


@pytest.mark.parametrize("arguments", [{"temperature": 0}, {"top_k": -1}, {"top_p": 0}])
def test_sampling_needs_positive_numbers(decoder, arguments):
    with pytest.raises(ValueError, match=f"{next(iter(arguments))} of 'sampling.*' must be positive"):
        Sampling(decoder, **arguments)


def test_a_model_can_answer_in_another_way(tmp_path):
    head = mm.heads.generation("caption", vocabulary=[" a", " b"], max_tokens=3, dim=8)
    spec = mm.Vector("x", size=3)
    model = mm.encoder_decoder([spec], {"x": mm.branches.vector.linear(spec, dim=8)}, [head], dim=8)
    ready = {name: np.ones((2, *tensor.shape[1:]), tensor.dtype) for name, tensor in model.input.items()}
    wide = mm.decoding.decode_with(model, decoding=Beam, beams=2)
    assert wide.weights[0] is model.weights[0] and wide(ready)["caption"].shape == (2, 4)
    drawn = mm.decoding.decode_with(model, decoding=Sampling, head="caption")
    assert list(drawn.input)[-1] == "caption_uniform"
    assert drawn(ready | {"caption_uniform": uniform(0, n=2, max_tokens=4)})["caption"].shape == (2, 4)
    for export in (mm.export.saved_model, mm.export.litert):
        with pytest.raises(ValueError, match="Received: a model with the input 'caption_uniform'.* Give it a seed: mm"):
            export(mm.preprocessor([spec]), drawn, tmp_path / ("1" if export is mm.export.saved_model else "m.tflite"))
    assert wide.heads == model.heads and wide.taught().output["caption"].shape == (None, 4, 5)
    with pytest.raises(ValueError, match=r"needs the name of a head.*Received: head='captoin'.*Did you mean 'caption'"):
        mm.decoding.decode_with(model, decoding=Greedy, head="captoin")
    assert type(wide).from_config(wide.get_config()).output["caption"].shape == (None, 4)
