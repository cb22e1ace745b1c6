import numpy as np

STAGE = "ready"


def noise(values, spec, strength, rng):
    """Normal noise of up to twice the root mean square of the vector."""
    vector = values[spec.name]
    scale = np.sqrt(np.mean(vector**2, axis=1, keepdims=True))
    return values | {spec.name: (vector + 2 * strength * scale * rng.normal(size=vector.shape)).astype("float32")}


CORRUPTIONS = {"noise": noise}
