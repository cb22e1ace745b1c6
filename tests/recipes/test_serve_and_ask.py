"""Tiny data through the whole recipe: a server of its own, asked over HTTP."""


def test_good_rows_are_answered_beside_a_broken_one(start, tmp_path):
    run = start("serve_and_ask", tmp_path, "--smoke", "--seed", 3)
    broken = [number for number, answer in enumerate(run.report["answers"]) if answer["status"]]
    assert broken == [2] and len(run.report["answers"]) == 8
    assert run.report["answers"][2]["status"].startswith("refused: photo: ") and "photo: " in run.printed
    for number, answer in enumerate(run.report["answers"]):
        if number not in broken:
            assert answer["answer"] in answer["answer_classes"]
            assert abs(sum(answer["answer_scores"]) - 1) < 1e-4
    assert 0 < run.report["p50_ms"] <= run.report["p99_ms"] and run.report["start_seconds"] > 0
    assert 0 <= run.report["parity_max_abs"] <= 1e-5 and run.report["n_train"] > 80
    assert run.report["skipped"] == 0 and run.report["seed"] == 3
    assert "is ready" in (run.folder / "runs/tiny/server.log").read_text()
    assert "Warning" not in run.said and "WARNING" not in run.said
