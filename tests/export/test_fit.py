import pytest
import tensorflow as tf

import mmkeras as mm
from mmkeras.export.fit import check_fit, decoded


def test_parts_that_fit(parts):
    check_fit(parts.preprocess, parts.model, parts.heads)


def test_another_preprocess_is_refused_by_name(parts):
    other = mm.preprocessor([mm.Text("revue", vocabulary=("good",))])
    with pytest.raises(ValueError, match=r"Missing: \['review' Did you mean 'revue'\?"):
        check_fit(other, parts.model, parts.heads)


def test_heads_of_another_model_are_refused_by_name(parts):
    with pytest.raises(ValueError, match=r"one output for each head.*Missing: .*'stars'"):
        check_fit(parts.preprocess, parts.model, parts.heads[:2])
    wider = [mm.heads.classification("mood", classes=list("abcd")), *parts.heads[1:]]
    with pytest.raises(ValueError, match=r"'mood' must be the one .* with 4 number.* Received: an output of width 3"):
        check_fit(parts.preprocess, parts.model, wider)


def test_answers_of_one_name_are_refused(parts):
    mood, shadow = parts.heads[0], mm.heads.regression("mood_scores", mean=0.0, std=1.0)
    with pytest.raises(ValueError, match=r"\['mood_scores'\] twice. Rename 'mood_scores'"):
        decoded([mood, shadow], {"mood": tf.zeros((1, 3)), "mood_scores": tf.zeros((1, 1))})


def test_swapped_parts_are_said(parts):
    with pytest.raises(ValueError, match="takes the preprocess first.*Call it with"):
        check_fit(parts.model, parts.preprocess, parts.heads)
