"""Error messages for invalid inputs."""

from collections.abc import Mapping

import numpy as np


def refusal(name, rule, received, remedy):
    """A ValueError with the modality, the rule, what was received, and what to do."""
    return ValueError(f"{name}: {rule} Received: {received}. {remedy}")


def shown(value):
    """A short description of a value that is not a file."""
    return f"{len(value)} bytes beginning with {value[:16]!r}" if isinstance(value, bytes) else type(value).__name__


def check_raw(names, raw):
    """Raises TypeError unless `raw` is a dict, and ValueError if it has other names."""
    if not isinstance(raw, Mapping):
        form = ", ".join(f"{name!r}: value" for name in names)
        raise TypeError(f"Raw values must be a dict by name. Received: {type(raw).__name__}. Call it with {{{form}}}.")
    unknown = sorted(map(str, set(raw) - set(names)))
    if unknown:
        raise ValueError(f"Raw values must have the names of the inputs. Expected: {names}. Received: {unknown}.")


def check_fed(inputs, ready):
    """Raises ValueError unless each input of the file, by name its details, has an array of its shape and dtype."""
    missing = [name for name in inputs if name not in ready]
    if missing:
        raise ValueError(
            f"Ready tensors must have the names of the inputs. Expected: {list(inputs)}. Received: {list(ready)}, "
            f"without {missing}. `model.preprocess(raw)` computes them."
        )
    for name, details in inputs.items():
        shape, dtype = [int(n) for n in details.get("shape_signature", details["shape"])], np.dtype(details["dtype"])
        value = np.asarray(ready[name])
        quantised = value.dtype == np.float32 and (details["quantization"][0] or dtype == np.int16)
        if not (value.dtype == dtype or quantised) or not _fits(value.shape, shape):
            rule = f"a tensor of shape {shape}, {dtype}, is needed{' (-1 is any length)' if -1 in shape else ''}."
            raise refusal(name, rule, f"{list(value.shape)}, {value.dtype}", "`model.preprocess(raw)` computes it.")


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(w in (-1, n) for n, w in zip(shape, wanted, strict=True))


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
