"""Many clients at once, a tenth of whose requests are broken; `tests/benchmarks/server.py` does it at length."""

from tests.benchmarks.server import ask_many


def test_no_answer_is_wrong_and_no_request_lost(exported, expected, url):
    rows = [{name: values[i] for name, values in exported.raw.items()} for i in range(4)]
    counts, seconds = ask_many(url, rows, [expected(row) for row in rows], clients=20, requests=200)
    assert counts == {"right": 180, "refused": 20} and len(seconds) == 200
