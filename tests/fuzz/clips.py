"""Clips, as small ZIP files of stored pictures, to be damaged by `mutate`."""

import io
import zipfile

from PIL import Image as Pillow


def samples(rng):
    """Name -> bytes of ZIP files that `mmkeras.data`, `mmkeras.preprocess` and `mmkeras.edge` read."""
    files = {}
    for kind in ("PNG", "JPEG"):
        for frames in (1, 3, 6):
            pictures = {f"{i:02d}.{kind.lower()}": picture(rng, kind) for i in range(frames)}
            files[f"zip-{kind}-{frames}"] = packed(pictures)
    files["zip-folder"] = packed({"frames/": b"", "frames/1.png": picture(rng, "PNG")})
    return files


def packed(pictures, method=zipfile.ZIP_STORED):
    """A ZIP file of the members `pictures`, name -> bytes."""
    with zipfile.ZipFile(file := io.BytesIO(), "w", method) as archive:
        for name, content in pictures.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def picture(rng, kind):
    """The bytes of a small picture."""
    shape = (*rng.integers(4, 12, 2), 3)
    Pillow.fromarray(rng.integers(0, 256, shape, "uint8")).save(file := io.BytesIO(), kind)
    return file.getvalue()
