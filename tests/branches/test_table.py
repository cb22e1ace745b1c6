"""Table branches; the promises all branches keep are in tests/conformance."""

import numpy as np
import pytest

import mmkeras as mm
from mmkeras import layers
from mmkeras.branches import table

ROWS = mm.Table("row", numeric=["age", "height"], categorical=["city", "job"], max_categories=5)
VALUES = np.array([[0.5, -1.0, 2, 2], [0.5, -1.0, 2, 2], [0.5, -1.0, 2, 2]], "float32")
THERE = np.array([[True] * 4, [True, False, True, False], [False] * 4])


def test_table_tokens():
    layer = layers.TableTokens(numeric=2, max_categories=5, dim=3)
    tokens = layer(VALUES, THERE).numpy()
    weight, bias, e = (w.numpy() for w in (layer.weight, layer.bias, layer.embedding.embeddings))
    wanted = np.stack([0.5 * weight[0], -weight[1], e[2], e[5 + 2]]) + bias
    np.testing.assert_allclose(tokens, wanted * THERE[:, :, None], atol=1e-6)
    assert np.abs(weight).max() < 3**-0.5


@pytest.mark.parametrize(("numeric", "categorical"), [(["a", "b"], []), ([], ["a", "b"])])
def test_transformer_of_one_kind_of_columns(numeric, categorical):
    spec = mm.Table("row", numeric=numeric, categorical=categorical)
    assert table.transformer(spec, dim=8, num_layers=1).output_shape == [(None, 1, 8), (None, 1)]


def test_table_tokens_keep_large_ids_in_half_precision():
    layer = layers.TableTokens(numeric=0, max_categories=5000, dim=2, dtype="mixed_bfloat16")
    tokens = layer(np.array([[1001.0], [4001.0]], "float32"), np.ones((2, 1), bool))
    wanted = layer.embedding.embeddings.numpy()[[1001, 4001]] + layer.bias.numpy()
    np.testing.assert_allclose(np.asarray(tokens, "float32")[:, 0], wanted, atol=2e-2)


def test_transformer_reads_present_columns_only():
    branch = table.transformer(ROWS, dim=8, num_heads=2, num_layers=2)
    answer, mask = branch({"row": VALUES, "row_mask": THERE})
    assert answer.shape == (3, 1, 8)
    assert mask.numpy().tolist() == [[True], [True], [False]]
    assert np.isfinite(answer).all()
    other = VALUES + np.array([0, 3, 0, 1], "float32")  # changes the columns that the second row lacks
    again = branch({"row": other, "row_mask": THERE})[0]
    np.testing.assert_array_equal(answer[1], again[1])
    assert np.abs(answer[0] - again[0]).max() > 1e-3


def test_transformer_gives_the_cls_token_and_the_columns():
    one, every = (table.transformer(ROWS, dim=8, num_heads=2, num_layers=1, pool=pool) for pool in ("cls", None))
    every.set_weights(one.get_weights())
    tokens, mask = every({"row": VALUES, "row_mask": THERE})
    assert tokens.shape == (3, 5, 8)
    assert mask.numpy().tolist() == [[True] * 5, [True, True, False, True, False], [False] * 5]
    np.testing.assert_allclose(one({"row": VALUES, "row_mask": THERE})[0][:, 0], tokens[:, 0], atol=1e-6)


def test_transformer_does_not_depend_on_the_order_of_the_columns():
    """Its columns are a set: with the numbers' weights swapped as well, [CLS] is the same."""
    a, b = (table.transformer(mm.Table("row", numeric=["x", "y"]), dim=8, num_heads=2, num_layers=1) for _ in range(2))
    b.set_weights([w[::-1] if w.shape == (2, 8) else w for w in a.get_weights()])
    row, there = np.array([[0.5, -2.0]], "float32"), np.ones((1, 2), bool)
    first, swapped = a({"row": row, "row_mask": there})[0], b({"row": row[:, ::-1], "row_mask": there})[0]
    np.testing.assert_allclose(first, swapped, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool": "mean"}, "pool of the branch of 'row' must be one of \\['cls', None\\]. Received: 'mean'"),
        ({"dim": 6}, "heads must divide dim in the branch of 'row'. Received: dim=6, num_heads=4"),
    ],
)
def test_transformer_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        table.transformer(ROWS, **arguments)
