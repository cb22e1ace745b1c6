"""Selects the frames of a clip that are used."""


def chosen(count, frames):
    """Which frames are taken of a clip of so many.

    Example:

    >>> chosen(5, 3), chosen(2, 3)
    ([0, 2, 4], [0, 1])
    """
    return [(2 * i + 1) * count // (2 * frames) for i in range(frames)] if count > frames else list(range(count))
