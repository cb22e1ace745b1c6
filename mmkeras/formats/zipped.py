"""Reads ZIP files of stored members like `mmkeras.preprocess`."""

import struct

_MOST = 65_535  # the format's maximum number of members


class ZipFault(Exception):
    """Why the members of a ZIP file cannot be used as frames; its arguments are those of `refusal`."""


def members(value):
    """Names, contents and checksums of the members of a ZIP file in their order, by their local headers; no folders.

    Raises:
        ZipFault: `mmkeras.preprocess` would refuse the file.

    Example:

    >>> import io, zipfile
    >>> with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
    ...     archive.writestr("2.png", "b")
    ...     archive.writestr("1.png", "a")
    >>> members(file.getvalue())
    [(b'2.png', b'b', 1908338681), (b'1.png', b'a', 3904355907)]
    """
    at, files, headers = 0, [], 0
    while value[at : at + 4] == b"PK\3\4" and at + 30 <= len(value) and headers < _MOST:
        headers += 1
        flags, method, checksum, size, name, extra = struct.unpack_from("<6xHH4xII4xHH", value, at)
        name, start = value[at + 30 : at + 30 + name], at + 30 + name + extra
        fault = _fault(flags, method, size, name)
        if fault:
            raise ZipFault(*fault)
        at = start + size
        files += [] if size == 0 else [(name, value[start:at], checksum)]
    if at > len(value) or value[at : at + 4] not in (b"PK\1\2", b"PK\5\6"):
        raise ZipFault("the ZIP file is cut off or damaged.", f"{len(value)} bytes", "Fetch it again.")
    if not files:
        raise ZipFault("the ZIP file holds no frames.", f"{len(value)} bytes", "An absent one is b''.")
    return files


def _fault(flags, method, size, name):
    """What is wrong with a member according to its header, or nothing."""
    if flags & 9 or (size and method):
        rule = "the frames must be stored in the ZIP file, neither compressed nor encrypted, their sizes before them."
        return rule, f"method {method}, flags {flags}", "Write it so (zip -0)."
    if size == 0xFFFFFFFF:
        return "the ZIP file has members in the ZIP64 format.", f"{name!r}", "Write it without (zip -fz-)."
    if size == 0 and not name.endswith(b"/"):
        return "a member of the ZIP file is empty (0 bytes).", f"{name!r}", "Leave it out, or write it again."
    return None
