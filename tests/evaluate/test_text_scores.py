"""Error rates against known values, intervals against what they are."""

import numpy as np
import pytest

import mmkeras as mm
from mmkeras.evaluate.kinds import kind_of
from mmkeras.evaluate.text_scores import Texts, alignment, errors


def test_rates_of_words_and_characters():
    texts = Texts(["the cat sat", "", "on a mat"], ["the cat sat", "x", "on the mat please"])
    assert texts.rate(str.split)[0] == pytest.approx(3 / 8)
    assert errors("on a mat", "on the mat please") == 10
    assert texts.rate(list)[0] == pytest.approx((0 + 1 + 10) / (11 + 1 + 17))
    assert texts.exact()[0] == pytest.approx(1 / 3)


def test_weights_count_like_repetitions():
    once = Texts(["a b", "c"], ["a c", "c d"], np.array([2.0, 1.0]))
    twice = Texts(["a b", "a b", "c"], ["a c", "a c", "c d"])
    assert once.rate(str.split)[0] == twice.rate(str.split)[0]


def test_interval_covers_and_narrows():
    def of(n):
        return Texts(["a"] * (n // 4) + ["b"] * (n - n // 4), ["b"] * n).rate(str.split)[1]

    (low, high), (lower, higher) = of(400), of(40)
    assert lower < low < 0.25 < high < higher
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 * 0.75 / 400), rel=0.15)


def test_right_texts_without_words():
    assert Texts(["", ""], ["", ""]).rate(str.split)[0] == 0.0
    assert Texts(["a"], [""]).rate(str.split)[0] == float("inf")


def test_alignment_has_as_many_errors_as_the_distance():
    rng = np.random.default_rng(0)
    for _ in range(30):
        a, b = ([*map(str, rng.integers(0, 3, rng.integers(0, 7)))] for _ in range(2))
        pairs = alignment(a, b)
        assert sum(x != y for x, y in pairs) == errors(a, b)
        assert [x for x, _ in pairs if x] == a and [y for _, y in pairs if y] == b


def test_units_that_the_vocabulary_lacks_are_counted():
    told = {"vocabulary": ["a", "b"], "units": "characters", "max_tokens": 6}
    for head in (mm.heads.generation("said", **told), mm.heads.transcription("said", **told)):
        labels = head.targets(head.encode(["ab", "xay", "b"]))
        answers = head.targets(head.encode(["ab", "a", "b"]))
        outputs = (
            answers if head.kind == "generation" else 9 * np.eye(head.width)[np.insert(answers, range(1, 7), 0, 1)]
        )
        found = kind_of(head.kind).scores(head, labels, outputs, None)
        assert found["unknown"] == 2 and found["exact"] == pytest.approx(2 / 3)
