"""Faults that are known, cannot be mended here, and are documented; each exception as narrow as can be."""

from mmkeras.edge import gif


def exception(kind, content, fault):
    """Name of the known exception that explains a fault; None where none does.

    Args:
        kind: of the file, as the generators call it.
        content: bytes that the fault was found with.
        fault: text that says what is wrong.
    """
    return next((name for name, explains in _KNOWN.items() if explains(kind, content, fault)), None)


def _gif_code(kind, content, fault):
    """giflib guesses pixels for a code that its table does not hold yet; Pillow, and so the device, refuses it."""
    if not content.startswith(b"GIF8") or not fault.startswith("only ['edge']") or "broken data stream" not in fault:
        return False
    return any(map(_has_impossible_code, gif.pictures(content)[1]))


def _has_impossible_code(picture):
    """Whether one of the codes before the end is beyond what the table of codes can hold by then.

    Source: CompuServe's GIF89a, appendix F.
    """
    size, bits, at = picture.data[0], b"", 1
    while at < len(picture.data) and picture.data[at]:
        bits += picture.data[at + 1 : at + 1 + picture.data[at]]
        at += 1 + picture.data[at]
    stream, left, clear = int.from_bytes(bits, "little"), 8 * len(bits), 2**size
    width, known, first = size + 1, clear + 2, True
    while left >= width:
        code, stream, left = stream % 2**width, stream >> width, left - width
        if code == clear:
            width, known, first = size + 1, clear + 2, True
        elif code == clear + 1:
            return False
        elif code > known or (first and code >= clear):
            return True
        else:
            known = min(4096, known + (not first))
            width, first = min(12, max(width, known.bit_length())), False
    return False


_KNOWN = {"known: impossible LZW code, refused by edge only": _gif_code}
