import numpy as np

STAGE = "ready"


def noise(values, spec, strength, rng):
    """Normal noise of up to 2 standard deviations on the numbers; categories stay."""
    row, count = np.array(values[spec.name]), len(spec.numbers)
    row[:, :count] += rng.normal(0, 2 * strength, row[:, :count].shape)
    return values | {spec.name: np.where(values[f"{spec.name}_mask"], row, values[spec.name])}


def missing(values, spec, strength, rng):
    """Each value is missing with a chance of `strength`."""
    mask = f"{spec.name}_mask"
    return values | {mask: values[mask] & (rng.random(values[mask].shape) >= strength)}


CORRUPTIONS = {"noise": noise, "values missing": missing}
