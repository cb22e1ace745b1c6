import io

import numpy as np
import pytest
import rich
from scipy import stats

import mmkeras as mm

HEAD = mm.heads.classification("y", ["a", "b"])


def fold(right):
    labels = np.zeros(len(right), int)
    return {"y": labels}, {"y": np.where(np.array(right)[:, None], [0.9, 0.1], [0.2, 0.8])}


def test_pooled_rows_and_the_mean_over_folds():
    folds = [fold([1, 1, 1, 0]), fold([1, 1]), fold([1, 0, 0])]
    found = mm.evaluate.cross_validation(folds, [HEAD])
    assert list(found["models"]) == ["all folds", "fold 1", "fold 2", "fold 3"]
    pooled = found["models"]["all folds"]["y"]
    assert (pooled["examples"], pooled["accuracy"]) == (9, pytest.approx(6 / 9))
    each = np.array([3 / 4, 1, 1 / 3])
    mean = found["means"]["y"]["accuracy"]
    reach = stats.t.ppf(0.975, 2) * each.std(ddof=1) * np.sqrt(1 / 3 + 1 / 2)  # test rows / training rows is 1/2
    assert mean["mean"] == pytest.approx(each.mean())
    assert mean["interval"] == pytest.approx([each.mean() - reach, each.mean() + reach])
    assert found["means"]["y"]["roc_auc_macro"]["mean"] is None  # with only one class, there is nothing to rank
    shown = rich.console.Console(width=200, record=True, file=io.StringIO())
    shown.print(mm.evaluate.table(found))
    assert "mean of the folds" in shown.export_text()


def test_weights_count():
    folds = [(*fold([1, 0]), {"y": np.array([3.0, 1.0])}), (*fold([1, 1]), {"y": np.ones(2)})]
    found = mm.evaluate.cross_validation(folds, [HEAD])
    assert found["models"]["all folds"]["y"]["accuracy"] == pytest.approx(5 / 6)


def test_one_fold_is_none():
    with pytest.raises(ValueError, match="two folds or more. Received: 1"):
        mm.evaluate.cross_validation([fold([1])], [HEAD])
