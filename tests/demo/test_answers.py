"""Answers as HTML."""

import re

import pytest

from mmkeras.demo.answers import as_html, chosen, head_of
from mmkeras.demo.without import as_html as without_html

MOOD = {"mood": "good", "mood_scores": [0.25, 0.75], "mood_classes": ["<b>", "good"]}


def test_scores_are_bars_with_the_best_first():
    page = as_html(MOOD | {"cost": [1.5]})
    assert re.findall(r'<th scope="row">(.*?)</th>', page) == ["good", "&lt;b&gt;"] and "<b>" not in page
    assert re.findall(r"width:([\d.]+)%", page) == ["75.0", "25.0"] and "0.750" in page
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["mood", "cost"] and '<div class="answer">1.5</div>' in page
    many = {"n_scores": [0.1] * 12, "n_classes": [str(i) for i in range(12)]}
    assert as_html(many).count("<tr>") == 10 and "and 2 more" in as_html(many) and 'class="answer"' not in as_html(many)
    assert "width:0.0%" in as_html({"n_scores": [float("nan")], "n_classes": ["a"]})


@pytest.mark.parametrize(("answers", "heads", "said"), [
    (MOOD, ["mood"], "good"),
    ({"tags_scores": [0.2, 0.9], "tags_classes": ["a", "b"], "tags_holds": [False, True]}, ["tags"], "b"),
    ({"tags_scores": [0.2, 0.1], "tags_classes": ["a", "b"], "tags_holds": [False, False]}, ["tags"], "none of them"),
    ({"tags_scores": [0.2, 0.1], "tags_classes": ["a", "b"]}, ["tags"], ""),
    ({"caption": "a cat", "caption_ids": [3, 4]}, ["caption"], "a cat"),
    ({"spoken": "yes", "spoken_score": -0.5}, ["spoken", "spoken_score"], "yes"),
    ({"identifiers": ["7.png", ""], "scores": [0.5, 0.0]}, ["identifiers"], "7.png"),
    ({"embedding": [0.5] * 12}, ["embedding"], ", ".join(["0.5"] * 10) + ", ... (12 in all)"),
])  # fmt: skip
def test_answers_of_every_kind_of_head(answers, heads, said):
    assert list(dict.fromkeys(head_of(name, answers) for name in answers)) == heads
    assert chosen(heads[0], answers) == said and said in as_html(answers)


def test_the_answers_without_a_modality_stand_beside_those_with_all():
    less = {"mood": "<b>", "mood_scores": [0.6, 0.4], "mood_classes": ["<b>", "good"], "cost": [2.0]}
    page = without_html(MOOD | {"cost": [1.5]}, {"photo": less})
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', page)
    assert rows == [("with all of them", "<td>good 0.750</td><td>1.5</td>"),
                    ("without photo", "<td>&lt;b&gt;; good 0.400</td><td>2</td>")]  # fmt: skip
    assert without_html(MOOD, {}) == ""
