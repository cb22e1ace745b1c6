"""Vectors from wherever they come, bit for bit."""

import json
import types
import zipfile

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import mmkeras as mm

SPEC = mm.Vector("face", size=3, optional=True)
REQUIRED = mm.Vector("face", size=3)
HEADS = [mm.heads.regression("y")]
ROWS = np.array([[0.1, -2e-38, 3e38], [-0.0, 1e-45, 1 / 3], [16777217, 2.5, -1e9]], "float32")
NAN = float("nan")


def read(cells, spec=SPEC, **options):
    return mm.data.from_dataframe(pd.DataFrame({"face": pd.Series(cells, dtype=object)}), [spec], **options)


def rows(raw):
    return np.stack([row["face"] for row in raw.as_numpy_iterator()])


def test_cells_of_every_kind(tmp_path):
    np.save(tmp_path / "a.npy", ROWS[1])
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(tmp_path / "a.npy", "in/a.npy")
    exact = [ROWS[1].tolist(), tuple(ROWS[1]), ROWS[1].astype("float64"), ROWS[1:2], "a.npy", tmp_path / "a.npy",
             "b.zip/in/a.npy", json.dumps(ROWS[1].tolist()), "|".join(map(repr, ROWS[1].tolist()))]  # fmt: skip
    absent = [None, NAN, "", [], [NAN] * 3, [None] * 3, "[null, null, null]", "nan|nan|nan"]
    found = rows(read(exact + absent, root=tmp_path))
    assert all(row.tobytes() == ROWS[1].tobytes() for row in found[: len(exact)])
    assert np.isnan(found[len(exact) :]).all() and len(found) == len(exact) + len(absent)


def test_csv_and_jsonl_lie_beside_their_files(tmp_path):
    np.save(tmp_path / "a.npy", ROWS[0])
    (tmp_path / "t.csv").write_text('face\na.npy\n"[1, 2, 3]"\n0.5|1|2\n\n', encoding="utf-8")
    lines = [{"face": "a.npy"}, {"face": [1, 2, 3]}, {"face": [0.5, 1, 2]}, {"face": None}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    wanted = np.array([ROWS[0], [1, 2, 3], [0.5, 1, 2], [NAN] * 3], "float32")
    found = mm.data.from_csv(tmp_path / "t.csv", [SPEC], skip_blank_lines=False)
    np.testing.assert_array_equal(rows(found), wanted)
    np.testing.assert_array_equal(rows(mm.data.from_jsonl(tmp_path / "t.jsonl", [SPEC])), wanted)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([1, 2], r"row 8, 'face': it has 2 numbers, in shape \(2,\); the spec says size=3"),
        (np.zeros((3, 3)), r"row 8, 'face': it has 9 numbers, in shape \(3, 3\)"),
        ([1, NAN, 2], "row 8, 'face': a vector must be finite"),
        ([1, 2, 1e39], "row 8, 'face': a vector must be finite"),
        ([1, 2, 10**400], "row 8, 'face': int too large"),
        ("[0.1 0.2 0.3]", r"row 8, 'face': '\[0.1 0.2 0.3\]' is none: a vector is a JSON list, numbers joined by"),
        ("none.npy", "row 8, 'face', .*none.npy: "),
        ("bad.npy", "row 8, 'face', .*bad.npy: "),
        (None, "row 8, 'face': a required vector is missing"),
    ],
)
def test_a_broken_cell_is_told_with_its_row(cell, message, tmp_path):
    (tmp_path / "bad.npy").write_bytes(b"")
    frame = pd.DataFrame({"face": pd.Series([[1, 2, 3], cell], [7, 8], dtype=object)})
    with pytest.raises(ValueError, match="1 example.*" + message):
        mm.data.from_dataframe(frame, [REQUIRED], root=tmp_path)
    raw = mm.data.from_dataframe(frame, [REQUIRED], root=tmp_path, on_error="skip")
    assert rows(raw).tolist() == [[1, 2, 3]] and [fault.row for fault in raw.skipped] == [8]


def test_all_missing_files_are_told_at_once():
    with pytest.raises(ValueError, match=r"2 example(.|\n)*x.npy(.|\n)*y.npy"):
        read(["x.npy", [1, 2, 3], "y.npy"])


@pytest.mark.parametrize("worker", [None, 1])
def test_tfrecord_gives_the_same_bits(tmp_path, worker):
    frame = pd.DataFrame({"face": [*ROWS, None], "y": [1.0, 2.0, 3.0, 4.0]})
    raw = mm.data.from_dataframe(frame, [SPEC], HEADS)
    pattern = tmp_path / "t-*.tfrecord"
    mm.data.write_tfrecord(raw, [SPEC], HEADS, pattern, shards=2, verbose=False)
    if worker is None:
        again = mm.data.from_tfrecord(pattern, [SPEC], HEADS)
        assert rows(again)[:3].tobytes() == ROWS.tobytes() and np.isnan(rows(again)[3]).all()
    else:
        assert (
            rows(mm.data.from_tfrecord(pattern, [SPEC], HEADS, worker=worker, workers=2))[0].tobytes()
            == ROWS[1].tobytes()
        )
    with pytest.raises(ValueError, match=r"'face', shape: written \[3\], received \[4\]"):
        mm.data.from_tfrecord(pattern, [mm.Vector("face", size=4)], HEADS)


def test_writing_shards_checks_vectors_of_other_data_sets(tmp_path):
    raw = tf.data.Dataset.from_tensor_slices({"face": np.array([[1, 2, 3], [1, NAN, 3]], "float32")})
    with pytest.raises(ValueError, match="row 1, 'face'.*a vector must be finite"):
        mm.data.write_tfrecord(raw, [SPEC], [], tmp_path / "t-*.tfrecord", verbose=False)


def test_batches_name_the_row_of_a_broken_vector():
    frame = pd.DataFrame({"y": [1.0, 2.0]})
    columns = {"face": np.array([[1, 2, 3], [1, NAN, 3]], "float32"), "y": np.ones((2, 1), "float32")}
    raw = mm.data.Examples(frame, columns, [SPEC], HEADS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="row 1, 'face': face: a vector must be finite.*nan"):
        list(mm.data.eval_batches(raw, mm.preprocessor([SPEC]), HEADS))


def test_ready_batches_are_cached_and_parted_like_others(tmp_path):
    frame = pd.DataFrame({"face": [*ROWS, *ROWS], "y": np.arange(6.0)})
    part, _ = mm.data.split(mm.data.from_dataframe(frame, [SPEC], HEADS), (0.5, 0.5), stratify=None)
    batches = mm.data.eval_batches(part, mm.preprocessor([SPEC]), HEADS, cache=tmp_path / "cache", verbose=False)
    x, y = next(iter(batches))
    assert x["face"].numpy().tobytes() == np.stack([ROWS[int(i) % 3] for i in y["y"].numpy()[:, 0]]).tobytes()


def sequence(kind):
    return type("Sequence", (types.SimpleNamespace,), {})(feature=kind)


class Lists:
    """Stands in for a Hugging Face `Dataset` of one column, as `datasets` stores it."""

    format, _fingerprint = {"type": None}, "f0"

    def __init__(self, cells):
        self.cells, self.features = cells, {"embedding": sequence("float32")}

    def __len__(self):
        return len(self.cells)

    def __getitem__(self, rows):
        return {"embedding": self.cells[rows]}

    def with_format(self, kind):
        return self

    def select_columns(self, names):
        return self

    def cast_column(self, name, feature):
        return self


def test_hugging_face_lists():
    raw = mm.data.from_dataset(Lists([ROWS[0].tolist(), None, ROWS[2].tolist()]), [SPEC],
                               columns={"face": "embedding"})  # fmt: skip
    assert rows(raw)[[0, 2]].tobytes() == ROWS[[0, 2]].tobytes() and np.isnan(rows(raw)[1]).all()
    with pytest.raises(ValueError, match="row 1, 'face': it has 2 numbers"):
        mm.data.from_dataset(Lists([[1.0, 2.0, 3.0], [1.0, 2.0]]), [SPEC], columns={"face": "embedding"})


def test_tf_data_of_fixed_and_free_length():
    fixed = mm.data.from_dataset(tf.data.Dataset.from_tensor_slices({"face": ROWS}), [SPEC])
    assert rows(fixed).tobytes() == ROWS.tobytes()

    def stream(lists):
        free = tf.data.Dataset.from_tensor_slices({"face": tf.ragged.constant(lists, dtype=tf.float64)})
        free = free.map(lambda row: {"face": row["face"].to_tensor() if row["face"].shape.rank > 1 else row["face"]})
        return mm.data.from_dataset(free, [SPEC])

    found = rows(stream([[1.0, 2.0, 3.0], []]))
    assert found[0].tolist() == [1, 2, 3] and np.isnan(found[1]).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have 3 numbers. Received: 2 in example 1"):
        rows(stream([[1.0, 2.0, 3.0], [1.0, 2.0]]))
    with pytest.raises(ValueError, match="from_dataset needs 3 numbers for 'face'"):
        mm.data.from_dataset(tf.data.Dataset.from_tensor_slices({"face": ROWS[:, :2]}), [SPEC])
