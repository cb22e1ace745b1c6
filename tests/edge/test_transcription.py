"""What a device makes of logits is what TensorFlow makes of them."""

import numpy as np

from mmkeras.decoding import Automaton, ctc_allowed, ctc_beam_search, ctc_greedy
from mmkeras.edge.transcription import answers, beam_search, best_allowed, greedy, is_described, log_softmax


def test_as_in_the_graph():
    logits = np.random.default_rng(0).normal(size=(20, 5, 5)).astype("float32") * 2
    automaton = Automaton.of_places([[[1], [2, 3]], [[2], [4, 4]]])
    searches = [
        (greedy, ctc_greedy(logits)),
        (lambda x: beam_search(x, 300), ctc_beam_search(logits, beams=300)),
        (lambda x: best_allowed(x, **vars(automaton)), ctc_allowed(logits, automaton=automaton)),
    ]
    for search, expected in searches:
        for example, ids, score in zip(logits, *map(np.asarray, expected), strict=True):
            found, own = search(log_softmax(example.astype("float64")))
            assert found == [*ids[ids > 0]]
            np.testing.assert_allclose(own, score, atol=1e-4)


def test_pieces_are_joined():
    head = {"name": "said", "kind": "transcription", "pieces": ["", " ?", " bin", " red"], "beams": 1}
    assert is_described(head) and not is_described(head | {"pieces": []}) and not is_described(head | {"beams": 0})
    allowed = {key: value.tolist() for key, value in vars(Automaton.of_sequences([[2], [3, 2]])).items()}
    assert is_described(head | {"allowed": allowed})
    assert not is_described(head | {"allowed": allowed | {"units": [9] * len(allowed["units"])}})
    assert not is_described(head | {"allowed": {}}) and not is_described(head | {"allowed": allowed | {"ends": [1]}})
    assert answers(head | {"allowed": allowed}, 9.0 * np.eye(4)[[2, 2, 0, 3]])["said"] == "bin"
    answer = answers(head, 9.0 * np.eye(4)[[2, 2, 0, 3]])
    assert answer["said"] == "bin red" and answer["said_score"] < 0
