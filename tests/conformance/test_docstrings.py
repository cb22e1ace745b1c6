"""Docstrings of public things: one line that says what it is, prose, then the sections in one order."""

import inspect
import re

import pytest

from tests.test_surface import PUBLIC

ORDER = ["Masking", "Args", "Attributes", "Attributes of the class", "Call arguments", "Returns", "Raises", "Example",
         "Source"]  # fmt: skip
SECTION = re.compile(rf"^({'|'.join(ORDER)}):", re.MULTILINE)


@pytest.mark.parametrize("name", PUBLIC)
def test_sections_are_in_order(name):
    summary, _, rest = inspect.getdoc(PUBLIC[name]).partition("\n")
    assert summary.endswith("."), f"the first line is a sentence of its own: {summary!r}"
    assert not rest or rest.startswith("\n"), "a blank line follows the first one"
    sections = SECTION.findall(rest)
    assert sections == sorted(set(sections), key=ORDER.index)
    example = rest.find("\n>>> ")
    assert example < 0 or 0 <= rest.find("\nExample:") < example, "what is executed stands under Example:"
    last = rest.rpartition("\n\n")[2].lstrip("\n") if sections else ""
    inside = "Example" in sections or SECTION.match(last) or last.startswith(" ")
    assert not last or inside, f"prose stands before the sections: {last[:60]!r}"
