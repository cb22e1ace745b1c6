"""Error rates against known values, intervals against what they are."""

import numpy as np
import pandas as pd
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


def both_kinds(**arguments):
    return mm.heads.generation("said", **arguments), mm.heads.transcription("said", **arguments)


def outputs_of(head, answers):
    """What a model gives that answers with these ids (n, L)."""
    if head.kind == "generation":
        return answers
    return 9 * np.eye(head.width)[np.insert(answers, range(1, answers.shape[1] + 1), 0, 1)]


@pytest.mark.parametrize("units", ["characters", "words"])
def test_no_answer_matches_a_unit_that_the_vocabulary_lacks(units):
    texts = ["ab", "xay", "b"] if units == "characters" else ["a b", "x a y", "b"]
    for head in both_kinds(vocabulary=["a", "b"] if units == "characters" else [" a", " b"], units=units, max_tokens=6):
        labels = head.targets(head.encode(texts))
        # The most frequent text may hold such units, and so may the answer of a transcription.
        scored = kind_of(head.kind)
        found = scored.scores(head, labels, outputs_of(head, labels), None)
        assert found["unknown"] == 2 and found["exact"] == pytest.approx(2 / 3)
        rate = "cer" if units == "characters" else "wer"
        assert found[rate] == pytest.approx(2 / 6) and found[f"{rate}_interval"][1] > 0
        assert scored.each(head, labels, outputs_of(head, labels)).tolist() in ([1, 0, 1], [0, 1.0, 0], [0, 2 / 3, 0])
        drawn = scored.drawn(head, labels, outputs_of(head, labels))(np.arange(3), None)
        assert drawn == pytest.approx({key: found[key] for key in drawn}) and {"wer", "cer", "exact"} <= set(drawn)
        shown = mm.evaluate.table({"models": {"model": {"said": found}}})
        assert "2 unit(s) in the texts of 'said' are not in its vocabulary" in shown.caption


def test_the_worst_texts_come_first_and_those_without_a_label_are_left_out(tmp_path):
    for head in both_kinds(vocabulary=[" a", " b", " c"], max_tokens=4):
        labels = head.targets(np.concatenate([head.encode(["a b", "a b c"]), head.blank[None]]))
        outputs = outputs_of(head, head.targets(head.encode(["a b", "a c", "c"])))
        names = kind_of(head.kind).draw(head, labels, outputs, {}, tmp_path)
        assert names == ["said_texts.csv", "said_worst.txt"]
        table = pd.read_csv(tmp_path / names[0])
        assert table.values.tolist() == [[1, "a b c", "a c", 3, 1, 2], [0, "a b", "a b", 2, 0, 0]]
        assert (tmp_path / names[1]).read_text().startswith("example 1\nreceived a - c\nexpected a b c\n\nexample 0")
        errors = mm.evaluate.errors(head, labels[:2], outputs[:2])
        assert errors["position"].tolist() == [1, 0] and errors["answer"].tolist() == ["a c", "a b"]
