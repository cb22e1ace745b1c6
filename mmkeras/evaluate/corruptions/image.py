import io

import numpy as np
from PIL import Image
from scipy import ndimage

STAGE = "ready"


def blur(values, spec, strength, rng):
    """Gaussian, with a deviation of up to a tenth of the shorter side."""
    pixels = values[spec.name].astype("float32")
    sigma = 0.1 * min(spec.size) * strength
    axes = (0,) * (pixels.ndim - 3) + (sigma, sigma, 0)
    return values | {spec.name: _pixels(ndimage.gaussian_filter(pixels, axes))}


def noise(values, spec, strength, rng):
    """Normal noise with a deviation of up to 128 of 255."""
    pixels = values[spec.name].astype("float32")
    return values | {spec.name: _pixels(pixels + rng.normal(0, 128 * strength, pixels.shape))}


def occlusion(values, spec, strength, rng):
    """A grey rectangle at a random place that covers up to the whole image."""
    pixels = np.array(values[spec.name])
    height, width = spec.size
    h, w = (round(side * np.sqrt(strength)) for side in spec.size)
    for each in pixels:
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        each[..., top : top + h, left : left + w, :] = 127
    return values | {spec.name: pixels}


def jpeg(values, spec, strength, rng):
    """JPEG compression with quality 95 down to 1."""
    pixels = np.array(values[spec.name])
    flat = pixels.reshape(-1, *pixels.shape[-3:])
    for i in range(len(flat) if strength else 0):
        flat[i] = _as_jpeg(flat[i], round(95 - 94 * strength))
    return values | {spec.name: flat.reshape(pixels.shape)}


def _as_jpeg(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(picture.shape)


def _pixels(values):
    return np.clip(np.round(values), 0, 255).astype("uint8")


CORRUPTIONS = {"blur": blur, "noise": noise, "occlusion": occlusion, "JPEG": jpeg}
