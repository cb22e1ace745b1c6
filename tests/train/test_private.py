"""DP-SGD against plain SGD, by hand, and its budget against a published figure."""

import sys

import keras
import numpy as np
import pytest

import mmkeras as mm

SPEC = mm.Vector("v", size=3)
HEADS = [mm.heads.regression("y", mean=0.0, std=1.0), mm.heads.classification("kind", ["a", "b"])]


def build():
    keras.utils.set_random_seed(0)
    branch = mm.branches.vector.linear(SPEC, dim=4, normalise=False)
    return mm.fusion_model([SPEC], {"v": branch}, mm.fusion.Concatenate(4), HEADS)


def data(n=6):
    rng = np.random.default_rng(0)
    x = {"v": rng.normal(size=(n, 3)).astype("float32"), "v_mask": np.ones((n, 1), bool)}
    return x, {"y": rng.normal(size=(n, 1)).astype("float32"), "kind": rng.integers(0, 2, n).astype("int32")}


def stepped(model, rate=0.5, **fit):
    model.compile(keras.optimizers.SGD(rate), **mm.heads.compile_for(HEADS))
    before = [np.array(weight) for weight in model.trainable_variables]
    history = model.fit(*data(), batch_size=6, epochs=1, verbose=0, **fit).history
    moved = [np.array(after) - old for after, old in zip(model.trainable_variables, before, strict=True)]
    return np.concatenate([np.ravel(each) for each in moved]), history


def test_without_noise_and_clipping_it_is_sgd():
    plain, _ = stepped(build())
    private, history = stepped(mm.train.private(build(), noise=0.0, clip=1e6))
    np.testing.assert_allclose(private, plain, atol=1e-6)
    assert set(history) == {"loss", "y_loss", "kind_loss", "y_mae", "kind_accuracy"}


def test_no_example_moves_the_weights_by_more_than_the_clip():
    private, _ = stepped(mm.train.private(build(), noise=0.0, clip=0.01), rate=1.0)
    assert 0 < np.linalg.norm(private) <= 0.01


def test_the_noise_has_the_size_it_should_have():
    runs = [stepped(mm.train.private(build(), noise=50.0, clip=0.1, seed=seed), rate=1.0)[0] for seed in range(4)]
    # 50 * 0.1 for the sum, over 6 examples; the clipped gradients are small in comparison.
    assert np.std(np.concatenate(runs)) == pytest.approx(50 * 0.1 / 6, rel=0.15)
    assert not np.array_equal(runs[0], runs[1])


def test_it_is_saved_and_goes_on(tmp_path):
    model = mm.train.private(build(), noise=1.0, clip=2.0)
    stepped(model)
    model.save(tmp_path / "private.keras")
    again = mm.load_model(tmp_path / "private.keras")
    assert (again.noise, again.clip, again.heads) == (1.0, 2.0, HEADS)
    np.testing.assert_allclose(again(data()[0])["y"], model(data()[0])["y"])


def test_what_would_break_the_promise_is_refused():
    spec = mm.Image("photo", size=(8, 8))
    branch = mm.branches.image.conv2d(spec, filters=(4,))
    model = mm.fusion_model([spec], {"photo": branch}, mm.fusion.Concatenate(4), HEADS)
    with pytest.raises(ValueError, match=r"no layer may mix the examples.*batch normalisation \['norm_0'\]"):
        mm.train.private(model, noise=1.0)
    branch.get_layer("norm_0").trainable = False
    assert mm.train.private(model, noise=1.0).noise == 1.0
    with pytest.raises(ValueError, match="noise must be 0 or more, and clip above 0. Received: noise=-1"):
        mm.train.private(build(), noise=-1)


def test_the_budget_is_below_the_looser_bound_of_renyi_accounting(monkeypatch):
    with pytest.raises(ValueError, match="batch_size must be from 1 to the number of examples"):
        mm.train.privacy_budget(noise=1.0, examples=10, batch_size=20, epochs=1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "dp_accounting", None)
        with pytest.raises(ImportError, match=r"pip install .mmkeras\[privacy\]"):
            mm.train.privacy_budget(noise=1.0, examples=10, batch_size=2, epochs=1)
    dp_accounting = pytest.importorskip("dp_accounting")
    epsilon = mm.train.privacy_budget(noise=1.3, examples=60_000, batch_size=250, epochs=15, delta=1e-5)
    step = dp_accounting.PoissonSampledDpEvent(250 / 60_000, dp_accounting.GaussianDpEvent(1.3))
    looser = dp_accounting.rdp.RdpAccountant().compose(step, 15 * 240).get_epsilon(1e-5)
    assert 0.5 * looser < epsilon < looser
    assert mm.train.privacy_budget(noise=0.0, examples=10, batch_size=2, epochs=1) == float("inf")
