"""Of what is there something always stays; what is hidden is hidden whole, per example, as often as asked for."""

import numpy as np
import pytest

from mmkeras.layers import ModalityDropout

N = 4000
MASKS = [np.ones((N, 3), bool), np.arange(N)[:, None] % 2 == 0, np.ones((N, 1), bool)]


def dropped(**arguments):
    return [mask.numpy() for mask in ModalityDropout(seed=1, **arguments)(MASKS, training=True)]


def test_share_that_is_hidden():
    first, second, third = dropped(rate=(0.25, 0.0, 0.5))
    # One modality is kept if all would be dropped: where the second is absent, the other two are dropped with
    # probability 1/8, and one comes back.
    there = MASKS[1][:, 0]
    assert abs(first[there, 0].mean() - 0.75) < 0.03 and abs(third[there].mean() - 0.5) < 0.03
    assert abs(first[~there, 0].mean() - 0.8125) < 0.03
    assert np.array_equal(second, MASKS[1])


def test_a_modality_goes_whole_and_never_all_of_them():
    first, *others = dropped(rate=0.9)
    assert np.array_equal(first.all(1), first.any(1))
    there = np.stack([first[:, 0], *(mask[:, 0] for mask in others)], -1)
    assert there.any(1).all() and there.all(1).mean() < 0.01
    assert 0.28 < there[::2].mean() < 0.48  # each of the three is kept in some rows


def test_nothing_comes_back_and_nothing_goes_outside_training():
    nothing = [np.zeros((2, 1), bool)] * 2
    assert not any(mask.numpy().any() for mask in ModalityDropout(0.5)(nothing, training=True))
    kept = ModalityDropout(0.9)(MASKS)
    assert all(np.array_equal(mask, given) for mask, given in zip(kept, MASKS, strict=True))


def test_rates_are_checked():
    with pytest.raises(ValueError, match=r"at least 0 and below 1.*Received: 1.0"):
        ModalityDropout(1.0)
    with pytest.raises(ValueError, match="one rate, or one per modality.*for 3 modalities"):
        ModalityDropout((0.1, 0.2))(MASKS)
