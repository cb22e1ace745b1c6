"""`mmkeras.client` and `mmkeras.serve` together."""

import numpy as np
import pytest
import tensorflow as tf

from mmkeras.client import Client, RequestError


def rows_of(exported, folder, count):
    """Rows of all kinds: the photo as bytes, as a file, and absent; the price as a number and absent."""
    rows = []
    for i in range(count):
        row = {name: values[i % 4] for name, values in exported.raw.items()}
        if row["photo"] and i % 2:
            (folder / f"{i}.png").write_bytes(row["photo"])
            row["photo"] = folder / f"{i}.png"
        rows.append({name: value for name, value in row.items() if not (name == "photo" and not value)})
    return rows


@pytest.fixture(scope="module")
def asked(exported, expected, url, tmp_path_factory):
    """(client, rows, scores)."""
    scores = [expected({name: values[i] for name, values in exported.raw.items()}) for i in range(4)]
    with Client(url, "scenes") as client:
        yield (
            client,
            rows_of(exported, tmp_path_factory.mktemp("photos"), 10),
            np.array([*scores, *scores, *scores[:2]]),
        )


def test_rows_are_answered_as_by_the_signature(asked):
    client, rows, scores = asked
    for batch_size in (3, 32):
        answers = client.predict(rows, batch_size=batch_size)
        np.testing.assert_allclose([answer["mood_scores"] for answer in answers], scores, atol=1e-6)
        assert set(answers[0]) == {"mood", "mood_scores", "mood_classes"}
        assert answers[0]["mood"] in answers[0]["mood_classes"] == ["good", "bad", "grün"]
    assert client.status() == {1: "AVAILABLE", 2: "AVAILABLE"}
    assert client.metadata()["model_spec"]["version"] == "2"


def test_a_version_is_asked_by_its_number(asked, url):
    _, rows, scores = asked
    with Client(url, "scenes", version=1) as first, Client(url, "scenes", version=9) as ninth:
        answers = first.predict(rows)
        assert np.abs(np.array([answer["mood_scores"] for answer in answers]) - scores).max() > 1e-3
        with pytest.raises(RequestError, match=r"Servable not found for request: Specific\(scenes, 9\)"):
            ninth.predict(rows)


def test_broken_rows_are_told_beside_the_answers_of_the_others(asked):
    client, rows, scores = asked
    broken = list(rows)
    broken[3] = rows[3] | {"photo": b"no picture"}
    broken[8] = rows[8] | {"review": None}  # which is required
    answers = client.predict(broken, on_error="skip")
    for number, (answer, wanted) in enumerate(zip(answers, scores, strict=True)):
        if number in (3, 8):
            assert list(answer) == ["status"]
        else:
            np.testing.assert_allclose(answer["mood_scores"], wanted, atol=1e-6)
    assert answers[3]["status"].startswith("refused: photo: ") and "no picture" in answers[3]["status"]
    assert answers[8]["status"].startswith("refused: review: ")
    with pytest.raises(RequestError, match="^row 3: photo: .*no picture") as caught:
        client.predict(broken)
    assert caught.value.row == 3 and caught.value.status == 400


def test_what_is_too_large_together_is_sent_in_parts(asked):
    client, rows, scores = asked
    noise = np.random.default_rng(0).integers(0, 256, (60, 120, 3), "uint8")
    photo = tf.io.encode_png(noise).numpy()  # 29 kB in Base64, where a request may have 100
    large = [rows[0] | {"photo": photo}] * 9
    assert np.ptp([answer["mood_scores"][0] for answer in client.predict(large)]) < 1e-6
    huge = tf.io.encode_png(np.tile(noise, (4, 1, 1)) ^ np.arange(240, dtype="uint8")[:, None, None]).numpy()
    answers = client.predict([rows[0], rows[1] | {"photo": huge}, rows[2]], on_error="skip")
    np.testing.assert_allclose([answers[i]["mood_scores"] for i in (0, 2)], scores[[0, 2]], atol=1e-6)
    assert answers[1]["status"].startswith("refused: A request may have 100,000 bytes.")
