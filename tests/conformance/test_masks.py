"""Values under the mask never change the output; a row without any token gives no NaN."""

import numpy as np


def test_hidden_values_do_not_count(case_, run):
    model = case_.build()
    feed = case_.feed(model)
    hidden = case_.hidden(feed)
    if any(name.endswith("_mask") and name.removesuffix("_mask") in feed for name in feed):
        assert any(not np.array_equal(feed[name], hidden[name]) for name in feed)
    results = zip(_visible(run(model, feed)), _visible(run(model, hidden)), strict=True)
    for a, b in results:
        np.testing.assert_allclose(a, b, atol=1e-6)


def _visible(outputs):
    """Branches give tokens and their mask: masked tokens are not part of the answer."""
    if len(outputs) == 2 and outputs[0].ndim == 3 and outputs[1].shape == outputs[0].shape[:2]:
        return [outputs[0] * outputs[1][:, :, None], outputs[1]]
    return outputs


def test_rows_without_tokens_are_finite(case_, run):
    model = case_.build()
    feed = {name: np.zeros_like(v) if name.endswith("_mask") else v for name, v in case_.feed(model).items()}
    for output in run(model, feed):
        assert np.isfinite(output).all()
