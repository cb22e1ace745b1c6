"""Damage that files suffer: flipped bits, missing ends, zeros, noise, extreme numbers, parts in other places."""

_HEADER = 64  # bytes; most formats store their sizes there


def mutate(data, rng):
    """`data` with one to three kinds of damage, which may leave it as it was.

    Args:
        data: bytes.
        rng: `numpy.random.Generator`.
    """
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        if data:
            data = _KINDS[rng.integers(len(_KINDS))](data, rng)
    return data


def _at(data, rng):
    """A position; half of them are in the header."""
    most = min(len(data), _HEADER) if rng.random() < 0.5 else len(data)
    return int(rng.integers(most))


def _part(data, rng):
    """Start and end of a part; short ones are as likely as long ones."""
    start = _at(data, rng)
    return start, min(len(data), start + int(2 ** rng.uniform(0, 12)))


def _flip(data, rng):
    """One to four bits."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        changed[_at(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _extreme(data, rng):
    """A number of 1, 2 or 4 bytes becomes one at the edge of its range."""
    at, size = _at(data, rng), int(rng.choice([1, 2, 4]))
    bits = 8 * size
    number = int(rng.choice([0, 1, 2, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 2, 2**bits - 1]))
    order = ("little", "big")[rng.integers(2)]
    return data[:at] + number.to_bytes(size, order)[: len(data) - at] + data[at + size :]


def _cut(data, rng):
    return data[: _at(data, rng)]


def _zeros(data, rng):
    start, end = _part(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def _noise(data, rng):
    start, end = _part(data, rng)
    return data[:start] + rng.bytes(end - start) + data[end:]


def _missing(data, rng):
    start, end = _part(data, rng)
    return data[:start] + data[end:]


def _copied(data, rng):
    """A part lies in another place, too, inserted or written over what is there."""
    (start, end), at = _part(data, rng), _at(data, rng)
    return data[:at] + data[start:end] + data[at + (end - start if rng.random() < 0.5 else 0) :]


def _swapped(data, rng):
    """Two parts that follow each other change places."""
    start, end = _part(data, rng)
    middle = int(rng.integers(start, end + 1))
    return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def _appended(data, rng):
    return data + rng.bytes(int(rng.integers(1, 64)))


_KINDS = (_flip, _flip, _extreme, _extreme, _cut, _zeros, _noise, _missing, _copied, _swapped, _appended)
