"""What `adapt` learned reaches the branches: embeddings have a row for each id there is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import mmkeras as mm

TOWNS = ["Rome", "Oslo", "Oslo", "Bern", ""]
RAW = {"review": ["a good film", "a bad one", "good", "bad", "so so"], "title": ["abc", "ab", "b", "", "c"],
       "age": np.arange(5, dtype="float32"), "town": TOWNS, "job": ["cook"] * 5}  # fmt: skip
SPECS = [mm.Text("review"), mm.Text("title", tokenizer="wordpiece", vocabulary_size=300, optional=True),
         mm.Table("who", numeric=["age"], categorical=["town", "job"])]  # fmt: skip


@pytest.fixture(scope="module")
def learned():
    return mm.adapt(mm.preprocessor(SPECS), tf.data.Dataset.from_tensor_slices(RAW), verbose=False)


def rows(model):
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "embeddings")]
    return [layer.embeddings.shape[0] for layer in layers if "position" not in layer.path]


def test_specs_know_what_was_learned(learned, tmp_path):
    review, title, who = learned.specs
    words = {"a", "good", "film", "bad", "one", "so"}
    assert (review.ids, who.ids) == (2 + len(words), (2 + 3, 2 + 1))
    assert title.ids == len(learned.get_layer("title_preprocess").vocabulary)
    assert [spec.ids for spec in SPECS] == [20_000, 300, (100, 100)]
    assert [spec.ids for spec in mm.preprocessor(SPECS).specs] == [spec.ids for spec in SPECS]
    assert mm.preprocessor(learned.specs).given[0].vocabulary_size == 20_000  # room for learning again
    assert mm.preprocessor([mm.Text("review", vocabulary=("a", "b"))]).specs[0].ids == 4
    learned.save(tmp_path / "preprocess.keras")
    again = mm.load_model(tmp_path / "preprocess.keras")
    assert again.specs == learned.specs
    assert again.given == SPECS


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_embeddings_have_a_row_for_each_id(learned, kind):
    review, _, who = learned.specs
    read = {"lstm": mm.branches.text.lstm, "transformer": mm.branches.text.transformer}[kind]
    table = {"lstm": mm.branches.table.mlp, "transformer": mm.branches.table.transformer}[kind]
    branches = {"review": read(review), "who": table(who)}
    ready = learned({name: tf.constant(values) for name, values in RAW.items()})
    for name, sizes in {"review": [review.ids], "who": [sum(who.ids)]}.items():
        assert rows(branches[name]) == sizes
        # An id without an embedding row would raise an error.
        branches[name]({key: ready[key] for key in branches[name].input})
    assert int(tf.reduce_max(ready["review"])) == review.ids - 1
    assert np.max(ready["who"][:, 1:], axis=0).tolist() == [size - 1 for size in who.ids]
    whole = mm.branches.table.mlp(SPECS[2])
    assert rows(whole) == [200]


def test_categories_of_one_column_have_no_row_of_the_next():
    """Columns of 3 and 4 ids: their rows are 0 to 2 and 3 to 6 of the one embedding."""
    row, mask = np.array([[2, 0], [0, 3]], "float32"), np.array([[True, False], [True, True]])
    layer = mm.layers.TableFeatures(0, (3, 4), embed_dim=2)
    vectors = layer(row, mask).numpy()
    weights = layer.embedding.embeddings.numpy()
    assert weights.shape == (7, 2)
    np.testing.assert_array_equal(vectors, np.concatenate([weights[[2, 0]], weights[[3, 6]]], axis=1))
    tokens = mm.layers.TableTokens(0, (3, 4), dim=2)
    found = tokens(row, mask).numpy() - mask[:, :, None] * tokens.bias.numpy()
    weights = tokens.embedding.embeddings.numpy()
    wanted = np.stack([weights[[2, 0]], weights[[3, 6]]], axis=1) * mask[:, :, None]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_adapt_says_where_the_sizes_are(capsys):
    rows = tf.data.Dataset.from_tensor_slices(RAW)
    mm.adapt(mm.preprocessor(SPECS), rows)
    assert (
        "Branches of review, title, who need fewer rows than there was room for: build them from preprocess.specs"
        in (" ".join(capsys.readouterr().out.split()))
    )
    mm.adapt(mm.preprocessor([mm.Text("review", vocabulary_size=8)]), rows)
    assert "preprocess.specs" not in capsys.readouterr().out


def test_exports_of_learned_sizes(learned, one_process, tmp_path):
    head = mm.heads.classification("kind", ["a", "b"])
    sizes = {}
    for name, specs in {"learned": learned.specs, "most": SPECS}.items():
        keras.utils.set_random_seed(0)
        review, title, who = specs
        branches = {"review": mm.branches.text.lstm(review, units=4, embed_dim=4),
                    "title": mm.branches.text.gru(title, units=4, embed_dim=4),
                    "who": mm.branches.table.mlp(who, units=(4,))}  # fmt: skip
        model = mm.fusion_model(specs, branches, mm.fusion.Concatenate(4), [head])
        raw = {name: np.array(values, getattr(values, "dtype", object)) for name, values in RAW.items()}
        report = mm.export.litert(learned, model, tmp_path / f"{name}.tflite", heads=[head], samples=raw, verbose=False)
        sizes[name] = report["bytes"] if "bytes" in report else (tmp_path / f"{name}.tflite").stat().st_size
    assert sizes["most"] - sizes["learned"] > 4 * 4 * 19_000
