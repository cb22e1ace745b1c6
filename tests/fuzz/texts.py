"""Texts in many scripts, with markup, marks and blanks, as UTF-8, to be damaged by `mutate`."""

import unicodedata

_RANGES = ((32, 126), (0xA0, 0x24F), (0x300, 0x3FF), (0x400, 0x5FF), (0x900, 0xE7F), (0x2000, 0x206F), (0x3000, 0x30FF),
           (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xFE00, 0xFE1F), (0xFF00, 0xFFEF), (0x1F300, 0x1F6FF), (0, 31),
           (0x7F, 0x9F))  # fmt: skip
_KNOWN = [chr(i) for low, high in _RANGES for i in range(low, high + 1) if unicodedata.category(chr(i)) != "Cn"]
_FIXED = (
    "",
    " ",
    "\t\n",
    "\0",
    "\x85",
    "\u00a0\u3000",
    "\u200b\u200d",
    "\ufeff",
    "\ue000",
    "<br />",
    "<br><p>&nbsp;",
    "&amp;",
    "\u0301",
    "a",
    "Hello, World!",
    "<p>a<br />b</p> 3 < 4",
    "Straße ÉCOLE İ ς",
    "我爱北京",
    "x" * 101,
)


def samples(rng):
    """Name -> UTF-8 bytes."""
    texts = [*_FIXED, *("".join(rng.choice([*_KNOWN, *" " * 100], int(rng.integers(1, 40)))) for _ in range(20))]
    return {f"text-{i}": text.encode() for i, text in enumerate(texts)}
