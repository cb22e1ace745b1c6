"""The number of ids that `adapt` learned."""

import numbers

from mmkeras.checks import check


def check_learned(name, learned, most, columns):
    """The number of ids that `adapt` learned for each column, as a tuple, or None; ValueError if it is impossible."""
    if learned is None:
        return None
    sizes = tuple(learned)
    possible = [isinstance(size, numbers.Integral) and 2 <= size <= most for size in sizes]
    rule = f"learned of '{name}' must be {columns} number(s) of ids, each from 2 to {most}."
    check(len(sizes) == columns and all(possible), rule, list(sizes), "Leave it out: preprocess.specs has it.")
    return sizes
