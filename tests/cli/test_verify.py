"""`mmkeras verify`: checksums, and the stored request asked again."""

import json

import pytest

from mmkeras.formats import manifest

FORMATS = ["scenes", "scenes.tflite"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_that_answers_as_before_passes(exported, mmkeras, name):
    status, shown, error = mmkeras("verify", exported.folder / name)
    assert status == 0, shown + error
    assert "are right" in shown and "Answers: as at the export, on 2 examples; the largest difference is " in shown


def test_damaged_files_are_named_and_not_run(mmkeras, copied):
    weights = "variables/variables.data-00000-of-00001"
    for name, path in {"scenes": copied / "scenes/10" / weights, "scenes.tflite": copied / "scenes.tflite"}.items():
        content = bytearray(path.read_bytes())
        content[1000] ^= 1
        path.write_bytes(content)
        status, shown, _ = mmkeras("verify", copied / name)
        changed = f"changed since the export: {weights if name == 'scenes' else name}"
        assert status == 1 and changed in shown and "Answers" not in shown
    (copied / "scenes/10" / weights).unlink()
    status, shown, _ = mmkeras("verify", copied / "scenes")
    assert status == 1 and f"missing: {weights}" in shown


@pytest.mark.parametrize(("name", "beside", "key"), [("scenes", "scenes/10/assets.extra/", "mood_scores"),
                                                     ("scenes.tflite", "scenes.", "mood")])  # fmt: skip
def test_other_answers_are_named(mmkeras, copied, name, beside, key):
    """As if this machine computed something else: the stored answers are exchanged, and their checksum renewed."""
    path, sums = copied / f"{beside}answers.json", copied / f"{beside}{manifest.NAME}"
    record = json.loads(path.read_text())
    record["answers"][key].reverse()
    path.write_text(json.dumps(record))
    root = copied / "scenes" / "10" if name == "scenes" else copied
    listed = [root / line.split("  ")[1] for line in sums.read_text().splitlines()]
    manifest.write(sums, listed, root=root)
    status, shown, _ = mmkeras("verify", copied / name)
    assert status == 1 and "they differ from those of the export, on 2 examples" in shown
    assert f"  {key}: largest difference " in shown


def test_the_model_card_may_be_filled_in(mmkeras, copied):
    (copied / "scenes.MODEL_CARD.md").write_text("filled in")
    assert mmkeras("verify", copied / "scenes.tflite")[0] == 0


def test_what_was_copied_alone_cannot_be_verified(mmkeras, copied):
    (copied / "scenes.SHA256SUMS").unlink()
    status, _, error = mmkeras("verify", copied / "scenes.tflite")
    assert status == 1 and "Copy all of its files, or export it again." in error
    (copied / "scenes.SHA256SUMS").write_text("nonsense")
    status, _, error = mmkeras("verify", copied / "scenes.tflite")
    assert status == 1 and "A manifest holds lines of a SHA-256 checksum" in error


def test_a_predictor_file_is_checked_by_its_own_checksums(mmkeras, copied):
    status, shown, _ = mmkeras("verify", copied / "scenes.zip")
    assert status == 0 and "the checksums of the ZIP archive are right" in shown
    content = bytearray((copied / "scenes.zip").read_bytes())
    content[len(content) // 2] ^= 1
    (copied / "scenes.zip").write_bytes(content)
    status, _, error = mmkeras("verify", copied / "scenes.zip")
    assert status == 1 and "damaged" in error
