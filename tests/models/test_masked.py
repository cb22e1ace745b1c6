"""Guessing what was hidden: the losses against their equations, what is hidden, and that it is learned."""

import keras
import numpy as np
import pandas as pd
import pytest

import mmkeras as mm
from mmkeras import losses
from mmkeras.data.generate.files import image

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
SPECS = [mm.Image("photo", size=(8, 8)), mm.Text("caption", max_tokens=6, vocabulary_size=12)]


def branches(photo, caption):
    return {
        "photo": mm.branches.image.vit(photo, patch=4, dim=16, num_heads=2, num_layers=1),
        "caption": mm.branches.text.transformer(caption, dim=16, num_heads=2, num_layers=1, dropout=0.0),
    }


@pytest.fixture(scope="module")
def squares():
    """(raw, preprocess) of 64 squares and their names."""
    rng, rows = np.random.default_rng(0), []
    for i in range(64):
        name = list(COLOURS)[rng.integers(4)]
        pixels = np.full((8, 8, 3), COLOURS[name]) * 0.8 + rng.integers(0, 40, (8, 8, 3))
        rows.append({"photo": image(pixels.astype("uint8"), "png"), "caption": f"a {name} square", "i": i})
    raw = mm.data.from_dataframe(pd.DataFrame(rows), SPECS)
    return raw, mm.adapt(mm.preprocessor(SPECS), raw, verbose=False)


@pytest.fixture
def model(squares):
    _, preprocess = squares
    specs = preprocess.specs
    return mm.masked_model(specs, branches(*specs), mm.fusion.CoAttention(16, num_heads=2, num_layers=1))


def test_outputs_are_named_and_shaped(model):
    shapes = {name: tensor.shape[1:] for name, tensor in model.output.items()}
    assert shapes == {"photo_masked": (4, 48), "caption_masked": (None, model.specs[1].ids), "matching": (1,)}


def test_masked_tokens_is_its_equation():
    rng = np.random.default_rng(0)
    logits, ids = rng.normal(size=(3, 4, 5)).astype("float32"), np.array([[1, -1, 2, -1], [-1] * 4, [0, 4, -1, 3]])
    expected = []
    for row, own in zip(logits, ids, strict=True):
        terms = [-(x[i] - np.log(np.exp(x).sum())) for x, i in zip(row, own, strict=True) if i >= 0]
        expected.append(np.mean(terms) if terms else 0.0)
    np.testing.assert_allclose(losses.MaskedTokens()(ids, logits), np.mean(expected), rtol=1e-5)


def test_masked_patches_is_its_equation():
    rng = np.random.default_rng(0)
    outputs, truth = rng.normal(size=(2, 3, 6, 4)).astype("float32")
    truth[0, 1:4] = truth[1] = np.nan
    known = [0, 4, 5]
    expected = [np.mean(np.abs(truth[0, known] - outputs[0, known])), 0.0, np.mean(np.abs(truth[2] - outputs[2]))]
    np.testing.assert_allclose(losses.MaskedPatches()(truth, outputs), np.mean(expected), rtol=1e-5)


def test_matching_is_its_equation():
    truth, p = np.array([[1.0], [0.0], [np.nan]], "float32"), np.array([[0.7], [0.4], [0.5]], "float32")
    np.testing.assert_allclose(losses.Matching()(truth, p), -(np.log(0.7) + np.log(0.6)) / 3, rtol=1e-5)


def test_what_is_hidden_is_the_label(squares, model):
    raw, preprocess = squares
    batch = next(iter(mm.data.eval_batches(raw, preprocess, heads=(), batch_size=64)))
    masking = mm.augment.masking(model, mismatch="caption")
    hidden, labels = masking(batch, {}, (1, 2))
    again, _ = masking(batch, {}, (1, 2))
    assert all(np.array_equal(hidden[key], again[key]) for key in hidden)
    same = labels["matching"].numpy()[:, 0] == 1
    assert 0.3 < same.mean() < 0.7
    chosen = labels["caption_masked"].numpy() >= 0
    assert chosen[same].any(1).all() and not chosen[~same].any()
    ids, shown, mask = (each.numpy() for each in (batch["caption"], hidden["caption"], batch["caption_mask"]))
    assert not chosen[~mask].any()
    np.testing.assert_array_equal(labels["caption_masked"].numpy()[chosen], ids[chosen])
    stays = ~chosen[same]
    np.testing.assert_array_equal(shown[same][stays], ids[same][stays])
    assert 0.5 < np.mean(shown[chosen] == 1) < 1
    # The caption of another example, which sometimes has the same colour.
    assert (ids[~same] != shown[~same]).any(1).mean() > 0.5
    patches, pixels = labels["photo_masked"].numpy(), batch["photo"].numpy()
    first = np.flatnonzero(same)[0]
    for t in range(4):
        part = np.s_[first, t // 2 * 4 : t // 2 * 4 + 4, t % 2 * 4 : t % 2 * 4 + 4]
        if np.isnan(patches[first, t]).any():
            np.testing.assert_array_equal(hidden["photo"].numpy()[part], pixels[part])
        else:
            np.testing.assert_allclose(patches[first, t], pixels[part].reshape(-1) / 127.5 - 1, atol=1e-6)
            assert (hidden["photo"].numpy()[part] == 128).all()


def test_it_learns_from_what_is_in_view_and_is_taken_over(squares, model, tmp_path):
    raw, preprocess = squares
    model.compile(keras.optimizers.Adam(0.01))
    masking = mm.augment.masking(model, words=0.3)
    train = mm.data.train_batches(raw, preprocess, heads=(), batch_size=32, cache="memory", augment=[masking])
    callbacks = mm.train.callbacks(tmp_path, train, monitor="loss", patience=None)
    history = model.fit(train, epochs=25, verbose=0, callbacks=callbacks).history
    for name in model.output:
        assert history[f"{name}_loss"][-1] < 0.8 * np.mean(history[f"{name}_loss"][:2]), name
    again = mm.load_model(tmp_path / "best.keras")
    assert set(again.output) == set(model.output) and again.loss is not None
    head = mm.heads.classification("colour", list(COLOURS))
    specs = preprocess.specs
    fused = mm.fusion_model(specs, branches(*specs), mm.fusion.CoAttention(16, num_heads=2, num_layers=1), [head])
    found = mm.train.transfer(fused, model, verbose=False)
    assert len(found["taken"]) == 3 and found["new"] == ["colour_logits"]


def test_spans_of_a_sound_are_silenced_and_their_energies_guessed():
    spec = mm.Audio("voice", seconds=0.1, sample_rate=8000)
    branch = mm.branches.audio.conv2d(spec, filters=(4,), mel_bands=8)
    model = mm.masked_model([spec], {"voice": branch}, mm.fusion.SingleStream(8, num_heads=2))
    count = model.output["voice_masked"].shape[1]
    wave = np.random.default_rng(0).normal(size=(4, 800)).astype("float32")
    mask = np.ones((4, 800), bool)
    mask[3] = False
    hidden, labels = mm.augment.masking(model)({"voice": wave, "voice_mask": mask}, {}, (1, 2))
    truth, shown, samples = labels["voice_masked"].numpy(), hidden["voice"].numpy(), 800 // count
    assert (
        set(labels) == {"voice_masked"} and np.isnan(truth[3]).all() and np.isfinite(truth[:3]).any(axis=(1, 2)).all()
    )
    for row, t in np.ndindex(3, count):
        part = np.s_[row, t * samples : (t + 1) * samples]
        if np.isnan(truth[row, t, 0]):
            np.testing.assert_array_equal(shown[part], wave[part])
        else:
            power = np.abs(np.fft.rfft(wave[part])) ** 2
            width = len(power) // 16
            bands = power[: 16 * width].reshape(16, width).mean(1)
            np.testing.assert_allclose(truth[row, t], np.log(bands + 1e-6), rtol=1e-3, atol=1e-3)
            assert not shown[part].any()


@pytest.mark.parametrize("fusion", [mm.fusion.SingleStream, mm.fusion.CoAttention, mm.fusion.Bottleneck])
def test_joint_tokens_do_not_change_the_vector(fusion):
    rng = np.random.default_rng(0)
    tokens = [rng.normal(size=(2, n, 8)).astype("float32") for n in (3, 5)]
    masks = [np.ones((2, n), bool) for n in (3, 5)]
    layer = fusion(8, num_heads=2)
    vector, joint, own = layer(tokens, masks, joint=True)
    np.testing.assert_allclose(vector, layer(tokens, masks), atol=1e-6)
    assert [each.shape for each in joint] == [(2, 3, 8), (2, 5, 8)] and layer.keeps_tokens
    np.testing.assert_array_equal(np.concatenate(own, 1), np.concatenate(masks, 1))


def test_errors_name_the_remedy(squares, model):
    _, preprocess = squares
    photo, caption = preprocess.specs
    with pytest.raises(
        ValueError, match=r"needs a fusion that gives tokens back. Received: Concatenate. Use mm.fusion"
    ):
        mm.masked_model([photo, caption], branches(photo, caption), mm.fusion.Concatenate(4))
    pooled = {"caption": mm.branches.text.lstm(caption, units=8)}
    with pytest.raises(ValueError, match=r"must be left to be guessed. Received: tokens {'caption': \(None, 1, 8\)}"):
        mm.masked_model([caption], pooled, mm.fusion.SingleStream(8))
    with pytest.raises(ValueError, match=r"mismatch is one of .*Received: 'capton'. Did you mean 'caption'"):
        mm.augment.masking(model, mismatch="capton")
    with pytest.raises(ValueError, match=r"augment.masking is for a mm.masked_model. Received: outputs \['photo', 'c"):
        mm.augment.masking(preprocess)
