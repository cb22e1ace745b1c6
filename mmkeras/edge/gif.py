"""Walks through the blocks of a GIF file, as `mmkeras.preprocess` does."""


def pictures(value):
    """How many pictures a GIF file says it has: its image descriptors from the header to the trailer.

    What lies behind the trailer does not count.

    Raises:
        ValueError: its blocks do not lead to the trailer: it is cut off or damaged.

    >>> pictures(b"GIF89a" + bytes(7) + b"," + bytes(9) + b"\\2" + b"\\3abc" + b"\\0" + b";" + b"behind")
    1
    """
    count, at = 0, 13 + _colours(value, 10)
    while value[at : at + 1] != b";":
        kind = value[at : at + 1]
        if kind not in (b",", b"!"):
            raise ValueError("it is cut off or damaged: its blocks do not lead to the mark of its end")
        count += kind == b","
        at += 11 + _colours(value, at + 9) if kind == b"," else 2
        while at < len(value) and value[at]:  # sub-blocks: their length, and so many bytes; 0 ends them
            at += 1 + value[at]
        at += 1
    if count == 0:
        raise ValueError("it holds no picture")
    return count


def _colours(value, at):
    """Length in bytes of the table of colours of which the flags there tell."""
    flags = value[at] if at < len(value) else 0
    return 3 << (flags % 8 + 1) if flags >= 128 else 0
