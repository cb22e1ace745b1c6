"""An example's answer does not depend on its batch: neither on its size nor on its other rows."""

import numpy as np


def test_rows_one_by_one(case_, run):
    model = case_.build()
    feed = case_.feed(model, batch=5)
    whole = run(model, feed)
    for i in range(5):
        single = run(model, {name: value[i : i + 1] for name, value in feed.items()})
        for a, b in zip(whole, single, strict=True):
            np.testing.assert_allclose(a[i : i + 1], b, atol=2e-5)
