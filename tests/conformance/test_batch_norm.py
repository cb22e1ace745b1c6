"""What is absent has no part in the statistics of a batch norm."""

import keras
import numpy as np

from mmkeras.layers import BatchNorm


def test_absent_examples_leave_the_statistics_alone(cases):
    found = {name: case for name, case in cases.items() if _room(case) in ("image", "audio", "video")}
    models = {name: case.build() for name, case in found.items()}
    norms = {name: _norms(model) for name, model in models.items()}
    assert {name for name in found if not norms[name]} == {"image.vit", "audio.conv_tasnet"}
    assert {type(norm) for several in norms.values() for norm in several} == {BatchNorm}
    for name, several in norms.items():
        if not several:
            continue
        feed = found[name].feed(models[name])  # the modality is present in the first row and absent in the third
        alone, joined = (_updated(models[name], several, feed, rows) for rows in ([0], [0, 2, 2]))
        np.testing.assert_allclose(joined, alone, rtol=1e-3, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(_updated(models[name], several, feed, [2]), _statistics(several), err_msg=name)


def _room(case):
    return getattr(case.covers, "__module__", "").removeprefix("mmkeras.branches.").partition(".")[0]


def _norms(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]


def _statistics(norms):
    return np.concatenate([w.numpy() for norm in norms for w in (norm.moving_mean, norm.moving_variance)])


def _updated(model, norms, feed, rows):
    """The statistics after one training step on some rows, which is then undone."""
    before = model.get_weights()
    model({name: value[rows] for name, value in feed.items()}, training=True)
    after = _statistics(norms)
    model.set_weights(before)
    return after
