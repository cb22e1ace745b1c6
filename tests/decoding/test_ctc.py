"""CTC against brute force over all paths, edit distance against the textbook's table."""

import itertools

import numpy as np
import pytest
from keras import ops

from mmkeras.decoding import Automaton, ctc_allowed, ctc_beam_search, ctc_greedy, edit_distance
from mmkeras.decoding.ctc import blank_where_masked

T, V = 5, 3


def _collapsed(path):
    return tuple(int(unit) for unit, before in zip(path, (0, *path), strict=False) if unit not in (0, before))


def _brute_force(logits):
    """Labels -> probability, of one example (T, V)."""
    shares = np.exp(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))
    found = {}
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        found[_collapsed(path)] = found.get(_collapsed(path), 0) + np.prod(shares[range(len(path)), path])
    return found


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(0).normal(size=(30, T, V)).astype("float32") * 1.5


def _without_zeros(row):
    return tuple(int(each) for each in np.asarray(row) if each)


def test_greedy_is_the_best_path(logits):
    ids, scores = ctc_greedy(logits)
    assert [_without_zeros(row) for row in ids] == [_collapsed(row) for row in logits.argmax(-1)]
    assert all(np.count_nonzero(row) == len(_without_zeros(row[: np.count_nonzero(row)])) for row in np.asarray(ids))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(scores, np.log(shares.max(-1)).sum(-1), rtol=1e-5)


def test_a_wide_beam_finds_the_most_probable_labels(logits):
    ids, scores = ctc_beam_search(logits, beams=100)
    for row, score, example in zip(np.asarray(ids), np.asarray(scores), logits, strict=True):
        every = _brute_force(example)
        assert _without_zeros(row) == max(every, key=every.get)
        assert score == pytest.approx(np.log(max(every.values())), abs=1e-4)


@pytest.mark.parametrize("how", ["sequences", "places"])
def test_the_best_allowed_path(logits, how):
    places = [[[1], [2, 1]], [[1, 1], [2]]]
    allowed = [[*a, *b] for a in places[0] for b in places[1]]
    automaton = Automaton.of_sequences(allowed) if how == "sequences" else Automaton.of_places(places)
    logits = np.concatenate([logits, logits[::-1, ::-1][:, :2]], axis=1)
    ids, scores = ctc_allowed(logits, automaton=automaton)
    paths = [path for path in itertools.product(range(V), repeat=T + 2) if [*_collapsed(path)] in allowed]
    shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for row, score, example in zip(ids, scores, shares, strict=True):
        every = {path: example[range(T + 2), path].sum() for path in paths}
        assert _without_zeros(row) == _collapsed(max(every, key=every.get))
        assert float(score) == pytest.approx(max(every.values()), abs=1e-4)


def test_masked_time_steps_change_neither_loss_nor_labels(logits):
    lengths = np.arange(30) % T + 1
    mask = np.arange(T) < lengths[:, None]
    masked = np.asarray(blank_where_masked(logits, mask))
    targets = np.array([[1, 0]] * 30, "int32")
    loss = ops.ctc_loss(targets, masked, np.full(30, 1), np.full(30, T), mask_index=0)
    expected = [-np.log(_brute_force(row[:n])[(1,)]) for row, n in zip(logits, lengths, strict=True)]
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
    short = [_collapsed(row[:n].argmax(-1)) for row, n in zip(logits, lengths, strict=True)]
    assert [_without_zeros(row) for row in ctc_greedy(masked)[0]] == short


def _table(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, last = [i], row
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
    return row[-1]


def test_edit_distance():
    rng = np.random.default_rng(0)
    received, expected = rng.integers(0, 4, (60, 7)), rng.integers(1, 4, (60, 6))
    expected *= np.arange(6) < rng.integers(0, 7, 60)[:, None]
    wanted = [_table(*map(_without_zeros, pair)) for pair in zip(received, expected, strict=True)]
    np.testing.assert_array_equal(edit_distance(received, expected=expected), wanted)
