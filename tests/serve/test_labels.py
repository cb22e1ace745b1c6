"""Versions by the labels of NAME/labels.json, as TF Serving's routes have them."""

import pytest

from mmkeras.client import Client, RequestError

ROW = {"review": "good day", "photo": "", "price": 1.0}
BODY = {"instances": [ROW]}


@pytest.fixture
def labelled(exported):
    """Function (text) -> nothing; writes it as the labels.json of scenes."""
    file = exported.folder / "scenes" / "labels.json"
    yield file.write_text
    file.unlink(missing_ok=True)


def test_a_label_is_the_version_that_the_file_says_now(labelled, url, ask):
    path = "/v1/models/scenes"
    one, two = (ask(url, f"{path}/versions/{number}:predict", BODY)[2] for number in (1, 2))
    labelled('{"stable": 1, "canary": 2}')
    assert ask(url, f"{path}/labels/stable:predict", BODY)[::2] == (200, one)
    assert ask(url, f"{path}/labels/canary:predict", BODY)[::2] == (200, two) and one != two
    assert ask(url, f"{path}/labels/stable/metadata")[2]["model_spec"]["version"] == "1"
    (state,) = ask(url, f"{path}/labels/canary")[2]["model_version_status"]
    assert state["version"] == "2" and state["state"] == "AVAILABLE"
    labelled('{"stable": 2}')
    assert ask(url, f"{path}/labels/stable:predict", BODY)[2] == two
    with Client(url, "scenes", label="stable") as client:
        assert client.predict([ROW])[0]["mood_scores"] == pytest.approx(two["predictions"][0]["mood_scores"])
        assert client.status() == {2: "AVAILABLE"}


@pytest.mark.parametrize(("written", "path", "status", "message"), [
    ('{"stable": 1}', "scenes/labels/stabel:predict", 400,
     "Unrecognized servable version label. Received: 'stabel', of which scenes/labels.json has ['stable']. "
     "Did you mean 'stable'?"),
    ("", "scenes/labels/stable:predict", 400, "Received: 'stable', and no scenes/labels.json. Write it into"),
    ('{"stable": 7}', "scenes/labels/stable:predict", 404, "Servable not found for request: Specific(scenes, 7)"),
    ('{"stable": 1}', "half/labels/stable:predict", 404, "Servable not found for request: Latest(half)"),
    ('{"stable": "1"}', "scenes/labels/stable:predict", 500,
     'labels.json must be an object such as {"stable": 1, "canary": 2}. Received: {\'stable\': \'1\'}. Mend '),
    ('{"stable": ', "scenes/labels/stable:predict", 500, "Received: Expecting value"),
])  # fmt: skip
def test_what_no_label_says_is_refused(labelled, url, ask, written, path, status, message):
    if written:
        labelled(written)
    found = ask(url, f"/v1/models/{path}", BODY)
    assert found[0] == status and message in found[2]["error"]


def test_get_asks_for_no_answer(labelled, url, ask):
    labelled('{"stable": 1}')
    assert ask(url, "/v1/models/scenes/labels/stable:predict")[0] == 405


def test_a_client_names_a_version_or_a_label(url):
    with pytest.raises(ValueError, match=r"Give a version or a label. Received: version=1 and label='stable'"):
        Client(url, "scenes", version=1, label="stable")
    with Client(url, "scenes", label="staging") as client, pytest.raises(RequestError, match="Unrecognized servable"):
        client.predict([ROW])
