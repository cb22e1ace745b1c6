import numpy as np

from mmkeras.evaluate.corruptions.image import blur, jpeg, noise, occlusion

STAGE = "ready"


def frames_dropped(values, spec, strength, rng):
    """Each frame is missing with a chance of `strength`; of a clip that is there, one stays."""
    mask = f"{spec.name}_mask"
    before = values[mask]
    after = before & (rng.random(before.shape) >= strength)
    first = np.arange(before.shape[1]) == before.argmax(1)[:, None]
    lost = before.any(1, keepdims=True) & ~after.any(1, keepdims=True)
    return values | {mask: np.where(lost, first, after)}


CORRUPTIONS = {"frames dropped": frames_dropped, "noise": noise, "blur": blur, "occlusion": occlusion, "JPEG": jpeg}
