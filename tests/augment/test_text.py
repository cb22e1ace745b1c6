import numpy as np
import pytest

import mmkeras as mm

SPEC = mm.Text("title")
MASK = np.arange(50) < np.array([[50]] * 200 + [[1], [0]])
READY = {"title": np.where(MASK, np.random.default_rng(0).integers(2, 99, MASK.shape), 0).astype("int32"),
         "title_mask": MASK}  # fmt: skip


def dropped(drop, remove=False, seed=(0, 1)):
    ready, _ = mm.augment.text(SPEC, drop=drop, remove=remove)(READY, {}, seed)
    assert ready["title"].dtype == "int32"
    assert ready["title_mask"].dtype == "bool"
    return ready["title"].numpy(), ready["title_mask"].numpy()


def test_a_share_of_the_tokens_becomes_unknown():
    ids, mask = dropped(0.3)
    np.testing.assert_array_equal(mask, MASK)
    changed = ids != READY["title"]
    assert set(ids[changed]) == {1}
    assert changed[:200].mean() == pytest.approx(0.3, abs=0.02)
    assert not ids[-1].any()


def test_removed_tokens_leave_no_gap():
    replaced, _ = dropped(0.3)
    ids, mask = dropped(0.3, remove=True)
    for line, real, other in zip(ids, mask, replaced, strict=True):
        left = other[other > 1]
        assert line[: len(left)].tolist() == left.tolist()
        assert real.tolist() == (np.arange(50) < len(left)).tolist()
        assert not line[len(left) :].any()


@pytest.mark.parametrize("remove", [False, True])
def test_a_text_never_becomes_empty(remove):
    ids, mask = dropped(1.0, remove)
    assert ((ids > 1).sum(1)[:-1] == 1).all()
    assert not mask[-1].any()


def test_a_seed_says_it_all():
    np.testing.assert_array_equal(dropped(0.3)[0], dropped(0.3)[0])
    assert not np.array_equal(dropped(0.3)[0], dropped(0.3, seed=(0, 2))[0])
    np.testing.assert_array_equal(dropped(0.0)[0], READY["title"])


def test_errors():
    with pytest.raises(ValueError, match=r"drop of mm.augment.text must be in \[0, 1\]. Received: drop=10"):
        mm.augment.text(SPEC, drop=10)
