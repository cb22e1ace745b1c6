"""Damage that files suffer: flipped bits, ends that are missing, ranges of zeros, parts in the wrong place."""


def mutate(data, rng):
    """`data` with one kind of damage, or several; at times it is whole.

    Args:
        data: bytes.
        rng: `numpy.random.Generator`.
    """
    for _ in range(int(rng.choice([0, 1, 1, 1, 2, 3]))):
        if data:
            data = _KINDS[rng.integers(len(_KINDS))](data, rng)
    return data


def _at(data, rng):
    """A position; half of them are in the first 64 bytes, where headers are."""
    most = min(len(data), 64) if rng.random() < 0.5 else len(data)
    return int(rng.integers(most))


def _flip(data, rng):
    at = _at(data, rng)
    return data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :]


def _extreme(data, rng):
    """A number of 1, 2 or 4 bytes becomes 0 or the largest."""
    at, count = _at(data, rng), int(rng.choice([1, 2, 4]))
    return data[:at] + (rng.choice([b"\0", b"\xff"]) * count)[: len(data) - at] + data[at + count :]


def _cut(data, rng):
    return data[: _at(data, rng)]


def _zeros(data, rng):
    at, count = _at(data, rng), int(rng.integers(1, 200))
    return data[:at] + bytes(min(count, len(data) - at)) + data[at + count :]


def _splice(data, rng):
    """A part of the file lies in another place, too, inserted or written over what is there."""
    start, at, count = _at(data, rng), _at(data, rng), int(rng.integers(1, 200))
    part = data[start : start + count]
    return data[:at] + part + data[at + (len(part) if rng.random() < 0.5 else 0) :]


def _missing(data, rng):
    at = _at(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 200)) :]


def _more(data, rng):
    return data + rng.bytes(int(rng.integers(1, 50)))


_KINDS = (_flip, _extreme, _cut, _zeros, _splice, _missing, _more)
