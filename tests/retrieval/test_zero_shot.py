import numpy as np
import pytest

import mmkeras as mm

COLOUR = mm.heads.classification("colour", ["red", "green", "blue", "white"])


def test_phrases_become_a_classifier(trained, squares):
    preprocess, model = trained
    made = mm.retrieval.zero_shot(model, preprocess, head=COLOUR, phrases="a {} square")
    assert list(made.input) == ["photo"] and made.heads == [COLOUR]
    report = mm.evaluate.report(made, mm.data.eval_batches(squares, preprocess))
    assert report["models"]["model"]["colour"]["accuracy"] > 0.9


def test_answers_are_the_softmax_of_the_mean_directions(trained, squares):
    preprocess, model = trained
    phrases = {"red": ["red", "a red square"], "green": "green", "blue": ["blue"], "white": "white square"}
    made = mm.retrieval.zero_shot(model, preprocess, head=COLOUR, phrases=phrases, text="caption", of="photo")
    index = mm.retrieval.Index(model, preprocess)
    embed = lambda texts: index.embed({"caption": texts})  # noqa: E731
    directions = [embed([text] if isinstance(text, str) else text).sum(0) for text in phrases.values()]
    directions = np.stack([each / np.linalg.norm(each) for each in directions])
    batch = next(iter(mm.data.eval_batches(squares.select(["photo"]), preprocess.part(["photo"]), heads=())))
    logits = float(model.scale) * model.tower("photo")(batch)["photo"].numpy() @ directions.T
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(made(batch)["colour"], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("head", "arguments", "message"),
    [
        (COLOUR, {"phrases": {"red": "red"}}, r"needs phrases for each class. Received: without: \['green', 'blue'"),
        (COLOUR, {"phrases": "a picture"}, r"holds {} for the class. Received: 'a picture'. Write 'a picture of {}'"),
        (COLOUR, {"of": "foto"}, r"of is one of the modalities \['photo'\]. Received: 'foto'. Did you mean 'photo'"),
        (mm.heads.regression("size", mean=0, std=1), {}, r"needs a head of single labels. Received: "),
    ],
)
def test_errors_name_the_remedy(trained, head, arguments, message):
    preprocess, model = trained
    with pytest.raises(ValueError, match=message):
        mm.retrieval.zero_shot(model, preprocess, head=head, **arguments)
