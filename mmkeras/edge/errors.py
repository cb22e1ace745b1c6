"""Error messages for invalid inputs."""

import numpy as np


def refusal(name, rule, received, remedy):
    """A ValueError with the modality, the rule, what was received, and what to do."""
    return ValueError(f"{name}: {rule} Received: {received}. {remedy}")


def shown(value):
    """A short description of a value that is not a file."""
    return f"{len(value)} bytes beginning with {value[:16]!r}" if isinstance(value, bytes) else type(value).__name__


# Largest ready float number. Even the square of a value (norms) or the product of three modalities (fusions) stays
# finite in float32, and no sensible feature comes near it.
LARGEST = 1e12


def check_ready(name, values, mask=None):
    """Raises ValueError if ready float numbers that are not masked are NaN, infinite or beyond 1e12."""
    if values.dtype.kind == "f":
        wrong = ~(np.abs(values) <= LARGEST)
        fits = mask is not None and mask.ndim == values.ndim and mask.shape[1] in (1, values.shape[1])
        wrong &= mask if fits else True
        if wrong.any():
            rule = "ready numbers must be finite, within -1e12 and 1e12."
            raise refusal(name, rule, values[wrong][:3], "Clean the value that they come from.")
