"""An export that tells the status of each example, served: nobody's request fails because of another one."""

import importlib
import threading

import keras
import numpy as np
import pytest

import mmkeras as mm
from mmkeras.client import Client, RequestError
from mmkeras.export.process.scripts import fresh
from tests.serve.conftest import png

GOOD = {"review": "good day", "photo": png(0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    spec = [
        mm.Text("review", vocabulary=("good", "bad", "day"), max_tokens=4),
        mm.Image("photo", size=8, optional=True),
    ]
    branches = {
        "review": mm.branches.text.conv1d(spec[0], filters=4),
        "photo": mm.branches.image.conv2d(spec[1], filters=(4,)),
    }
    keras.utils.set_random_seed(0)
    heads = [mm.heads.classification("mood", ["good", "bad"])]
    model = mm.fusion_model(spec, branches, mm.fusion.Concatenate(4), heads)
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("mmkeras.export._saved_model.export"), "run_fresh",
                      lambda path, ops, runs: fresh.answer(lambda: None, str(path), ops, runs))  # fmt: skip
        for name in ("skip", "absent"):
            mm.export.saved_model(mm.preprocessor(spec), model, folder / name / "1", on_error=name)
    return folder


def test_the_status_of_an_export_reaches_the_client(folder, ask):
    rows = [GOOD, GOOD | {"photo": b"no picture"}, {"review": "bad"}, GOOD | {"review": "", "photo": b"x"}]
    with mm.serve.running(folder) as url:
        with Client(url, "skip") as client:
            found = client.predict(rows, on_error="skip")
            alone = [client.predict(rows[number])[0] for number in (0, 2)]
            with pytest.raises(RequestError, match="^row 1: photo: .*no picture"):
                client.predict(rows)
        absent = Client(url, "absent").predict(rows, on_error="skip")
        instances = [{"review": "good", "photo": ""}, {"review": "", "photo": ""}]
        status, _, answer = ask(url, "/v1/models/skip:predict", {"instances": instances})
        counts = ask(url, "/metrics")[2]
    assert [each["status"].partition(": ")[0] for each in found] == ["", "refused", "", "refused"]
    assert list(found[1]) == ["status"] and "; photo: " in found[3]["status"]
    np.testing.assert_allclose(found[0]["mood_scores"], alone[0]["mood_scores"], atol=1e-6)
    np.testing.assert_allclose(found[2]["mood_scores"], alone[1]["mood_scores"], atol=1e-6)
    assert [each["status"].partition(": ")[0] for each in absent] == ["", "absent", "", "refused"]
    assert absent[1]["mood"] in ("good", "bad")
    assert status == 200 and [each["status"] == "" for each in answer["predictions"]] == [True, False]
    assert answer["predictions"][1]["mood"] == "" and np.isnan(answer["predictions"][1]["mood_scores"]).all()
    refused = {"photo": 2.0, "review": 3.0}  # of 'skip' by the client twice, and by the last request
    for name, count in refused.items():
        assert f'mmkeras_refused_inputs_total{{input="{name}",model="skip"}} {count}' in counts


def test_requests_that_are_answered_together_do_not_fail_together(folder):
    broken, answers = GOOD | {"photo": b"no picture"}, {}

    def work(number):
        with Client(url, "skip") as client:
            answers[number] = client.predict(broken if number % 8 == 0 else GOOD, on_error="skip")[0]

    with mm.serve.running(folder) as url:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == list(range(24))
    for number, answer in answers.items():
        assert answer["status"].startswith("refused: photo: ") == (number % 8 == 0)
        assert number % 8 == 0 or answer["mood"] == answers[1]["mood"]
