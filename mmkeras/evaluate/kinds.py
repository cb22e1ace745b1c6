"""The kinds of heads, and the modules that score and draw them.

A module of a kind has `scores(head, labels, outputs, weights)`, `draw(head, labels, outputs, found, out_dir, weights)`,
`columns(found)`, headings of the table and keys of scores, and `MAIN`, the key of its main score.
"""

from mmkeras.checks import did_you_mean
from mmkeras.evaluate import classification, regression

KINDS = {"classification": classification, "regression": regression}


def kind_of(name):
    """The module of a kind; ValueError where there is none."""
    if name not in KINDS:
        raise ValueError(
            f"A kind of head is scored by its module in mmkeras.evaluate.KINDS. Received: {name!r}. "
            f"{did_you_mean(name, KINDS)} Known: {list(KINDS)}. Add KINDS[{name!r}] = a module like "
            "mmkeras.evaluate.regression."
        )
    return KINDS[name]
