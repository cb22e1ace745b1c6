"""The numbers of a report that are written down."""

from mmkeras import evaluate

MOOD = {"kind": "classification", "examples": 4, "accuracy": 0.75, "accuracy_interval": [0.3, 0.95]}
TAGS = {
    "kind": "classification",
    "multi_label": True,
    "examples": 4,
    "accuracy": 0.5,
    "accuracy_interval": [0.15, 0.85],
}
PRICE = {"kind": "regression", "examples": 4, "mae": 2.5, "rmse": 3.0, "r2": None}


def test_one_head_has_plain_numbers():
    rows = {"model": {"mood": MOOD}, "photo only": {"mood": TAGS}}
    expected = {"accuracy": 0.75, "interval": [0.3, 0.95], "n": 4, "baselines": {"photo only": 0.5}}
    assert evaluate.summary({"models": rows}) == expected


def test_a_number_is_judged_by_its_error():
    rows = {"model": {"price": PRICE}, "majority": {"price": PRICE | {"mae": 9.0}}}
    assert evaluate.summary({"models": rows}) == {"mae": 2.5, "n": 4, "baselines": {"majority": 9.0}}


def test_several_heads_are_told_apart():
    rows = {"model": {"mood": MOOD, "tags": TAGS, "price": PRICE}}
    rows["majority"] = {"mood": MOOD | {"accuracy": 0.25}, "tags": TAGS, "price": PRICE | {"mae": 9.0}}
    found = evaluate.summary({"models": rows})
    assert found["accuracy"] == {"mood": 0.75, "tags": 0.5} and found["mae"] == {"price": 2.5} and found["n"] == 4
    assert found["interval"] == {"mood": [0.3, 0.95], "tags": [0.15, 0.85]}
    assert found["baselines"] == {"majority": {"mood": 0.25, "tags": 0.5, "price": 9.0}}


def test_a_model_alone_has_no_baselines():
    assert "baselines" not in evaluate.summary({"models": {"model": {"mood": MOOD}}})
