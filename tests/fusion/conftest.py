"""NumPy statements of what several fusions are made of, each for one row."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import erf, softmax

RNG = np.random.default_rng(0)


def dense(x, layer):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def mean(tokens, mask):
    """Of the whole batch: (B, T, D) and (B, T) -> (B, D)."""
    return np.stack([t[m].mean(0) if m.any() else 0 * t[0] for t, m in zip(tokens, mask, strict=True)])


def norm(x, layer):
    gamma, beta = (weight.numpy() for weight in layer.weights)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.epsilon) * gamma + beta


def attend(q, x, mask, layer):
    wq, bq, wk, bk, wv, bv, wo, bo = (weight.numpy() for weight in layer.weights)
    q, k, v = (np.einsum("td,dhe->hte", a, w) + b[:, None] for a, w, b in ((q, wq, bq), (x, wk, bk), (x, wv, bv)))
    score = np.where(mask, q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]), -np.inf)
    return np.einsum("hqe,hed->qd", softmax(score, -1) @ v, wo) + bo


def block(q, x, mask, layer):
    """layers.AttentionBlock; x=None is self-attention."""
    asking = norm(q, layer.norm_read)
    if x is None:
        x = asking
    elif layer.norm_x:
        x = norm(x, layer.norm_x)
    q = q + attend(asking, x, mask, layer.read) if mask.any() else q
    hidden = dense(norm(q, layer.norm_think), layer.widen)
    return q + dense(hidden * (1 + erf(hidden / np.sqrt(2))) / 2, layer.narrow)


def embed(row, tokens, layer):
    """layers.ModalityTokens of one row."""
    kinds = layer.kind.numpy()
    return [dense(t[row], d) + kind for t, d, kind in zip(tokens, layer.project, kinds, strict=True)]


@pytest.fixture(scope="session")
def plain():
    """The functions above."""
    return SimpleNamespace(attend=attend, block=block, dense=dense, embed=embed, mean=mean, norm=norm)


@pytest.fixture(scope="session")
def modalities():
    """Function (widths of the modalities) -> tokens and masks of 3 rows: all there, the first one cut and the last
    ones absent, nothing there."""

    def build(*widths):
        tokens = [RNG.normal(size=(3, 4 - i, width)).astype("float32") for i, width in enumerate(widths)]
        masks = [np.arange(4 - i) < np.array([[4 - i], [0 if i else 2], [0]]) for i in range(len(widths))]
        return tokens, masks

    return build
