"""Faults that are known, cannot be mended here, and are documented; each exception as narrow as can be."""


def exception(kind, content, fault):
    """Name of the known exception that explains a fault; None where none does.

    Args:
        kind: of the file, as the generators call it.
        content: bytes that the fault was found with.
        fault: text that says what is wrong.
    """
    return next((name for name, explains in _KNOWN.items() if explains(kind, content, fault)), None)


_KNOWN = {}
