"""The blocks that fusions of tokens share; they are also part of every statement in tests/fusion."""

import numpy as np
import pytest

from mmkeras import layers

RNG = np.random.default_rng(0)


def test_attention_block_reads_others_or_itself():
    x, mask = RNG.normal(size=(2, 5, 4)).astype("float32"), np.arange(5) < np.array([[3], [0]])
    layer = layers.AttentionBlock(dim=4, num_heads=2)
    itself = layer(x, mask=mask).numpy()
    np.testing.assert_allclose(itself, layer(x, layer.norm_read(x), mask), atol=1e-6)
    seen = layer.read(layer.norm_read(x[:1]), layer.norm_read(x[:1, :3]))
    thought = x[:1] + seen
    thought += layer.narrow(layer.widen(layer.norm_think(thought)))
    np.testing.assert_allclose(itself[:1], thought, atol=1e-5)
    # Without attention, only the feed-forward part.
    nothing = x[1:] + layer.narrow(layer.widen(layer.norm_think(x[1:])))
    np.testing.assert_allclose(itself[1:], nothing, atol=1e-5)


def test_attention_block_normalises_what_it_reads():
    q, x = RNG.normal(size=(1, 2, 4)).astype("float32"), RNG.normal(size=(1, 5, 4)).astype("float32")
    layer = layers.AttentionBlock(dim=4, num_heads=2, norm_x=True)
    np.testing.assert_allclose(layer(q, x), layer(q, 9 * x + 3), atol=1e-2)
    plain = layers.AttentionBlock(dim=4, num_heads=2)
    assert not np.allclose(plain(q, x), plain(q, 9 * x + 3), atol=1e-2)


def test_attention_block_needs_heads_that_divide_dim():
    with pytest.raises(ValueError, match="heads must divide dim in AttentionBlock 'asks'.*dim=4, num_heads=3"):
        layers.AttentionBlock(dim=4, num_heads=3, name="asks")


def test_modality_tokens_say_whose_they_are():
    tokens, masks = [np.ones((1, 2, 3), "float32")] * 2, [np.array([[True, False]])] * 2
    layer = layers.ModalityTokens(dim=4)
    embedded = layer(tokens, masks)
    for i, (x, dense) in enumerate(zip(embedded, layer.project, strict=True)):
        kernel, kind = dense.kernel.numpy(), layer.kind.numpy()[i]
        np.testing.assert_allclose(x[0], [kernel.sum(0) + kind, kind], atol=1e-6)  # the masked token contributes zeros


def test_learned_tokens_are_the_same_in_every_row():
    layer = layers.LearnedTokens(2, dim=3)
    tokens = layer(np.zeros((4, 1), "float32")).numpy()
    np.testing.assert_array_equal(tokens, np.stack([layer.table.numpy()] * 4))
