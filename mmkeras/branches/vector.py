"""Vector branches: one precomputed vector (B, size) -> one token.

>>> import mmkeras as mm
>>> linear(mm.Vector("face", size=512), dim=64).output_shape
[(None, 1, 64), (None, 1)]
"""

import keras

from mmkeras.branches._model import branch, inputs, one_token
from mmkeras.checks import check_whole
from mmkeras.specs import Vector

__all__ = ["linear"]


def linear(spec: Vector, *, dim: int = 128, normalise: bool = True, dropout: float = 0.0) -> keras.Model:
    """Layer normalisation and one dense layer, without an activation.

    The vector is assumed to be an embedding of a trained model; use `fusion.MLP` for hidden layers above it.

    Masking: an absent vector gives a masked token.

    Args:
        spec: `mm.Vector`.
        dim: D, width of the token.
        normalise: standardise each vector to mean 0 and standard deviation 1, then scale and shift its numbers by
            learned weights. The result does not depend on the length of the vector, and has the scale that the initial
            weights of the dense layer assume, whatever the size. Set it to False if the length of a vector is
            informative; the dense layer is then float32 under mixed precision as well, but the following layers are
            not, and the largest float16 is 65,504.
        dropout: dropout rate of the normalised numbers.

    Returns:
        keras.Model, `{name: (B, size) float32, name_mask: (B, 1) bool}` -> tokens (B, 1, D) and mask (B, 1).

    Source: Ba et al., arXiv 1607.06450, equation 4, with a smaller epsilon: the numbers of a long vector of length 1
    have a variance of 1 / size, near Keras' default of 0.001.
    """
    ready = inputs(spec, "vector")
    check_whole(spec.name, dim=dim)
    x, mask = ready.values()
    if normalise:
        # Computes in float32 under every dtype policy.
        x = keras.layers.LayerNormalization(epsilon=1e-6, name="normalise")(x)
    x = keras.layers.Dropout(dropout, dtype=None if normalise else "float32")(x) if dropout else x
    # Half precision needs inputs of unit scale (the largest float16 is 65,504): unnormalised ones stay in float32.
    project = keras.layers.Dense(dim, dtype=None if normalise else "float32", name="project")
    return branch(spec, ready, *one_token(project(x), mask))
