"""Late fusion against its equations."""

import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from mmkeras.layers import CombineAnswers

RNG = np.random.default_rng(0)
ANSWERS = [softmax(RNG.normal(size=(3, 4)), -1).astype("float32") for _ in range(2)]
MASKS = [np.array([[True], [True], [False]]), np.array([[True], [False], [False]])]


def test_mean_and_learned_weights():
    a, b = ANSWERS
    np.testing.assert_allclose(
        CombineAnswers("mean")(ANSWERS, MASKS), [(a + b)[0] / 2, a[1], (a + b)[2] / 2], rtol=1e-5
    )
    layer = CombineAnswers("learned")
    layer.build([(3, 4)] * 2, [(3, 1)] * 2)
    layer.logits.assign([0.0, 2.0])
    w = softmax([0.0, 2.0])
    np.testing.assert_allclose(layer(ANSWERS, MASKS)[0], w[0] * a[0] + w[1] * b[0], rtol=1e-5)
    np.testing.assert_allclose(layer(ANSWERS, MASKS)[1], a[1], rtol=1e-5)


def test_product_of_experts():
    a, b = ANSWERS
    found = CombineAnswers("product")(ANSWERS, MASKS).numpy()
    np.testing.assert_allclose(found[0], a[0] * b[0] / (a[0] @ b[0]), rtol=1e-4)
    np.testing.assert_allclose(found[1], a[1], rtol=1e-4)
    each = CombineAnswers("product", kind="sigmoid")(ANSWERS, MASKS).numpy()
    np.testing.assert_allclose(each[0], expit(logit(a[0]) + logit(b[0])), rtol=1e-4)


def test_words_are_checked():
    with pytest.raises(ValueError, match="how must be one of.*Received: how='sum'"):
        CombineAnswers("sum")
    with pytest.raises(ValueError, match="Give 'mean' or 'learned' to regression heads"):
        CombineAnswers("product", kind="linear")
