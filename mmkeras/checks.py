"""The checks of arguments that specs and heads share; each says the rule, what was received, and what to do."""

import difflib
import numbers


def check(ok, rule, received, remedy):
    """Raises ValueError unless `ok`; the other three are sentences of its message."""
    if not ok:
        raise ValueError(f"{rule} Received: {received}. {remedy}")


def check_name(name):
    """Raises ValueError where a spec, a column or a head cannot be called so."""
    ok = isinstance(name, str) and name.isidentifier() and not name.endswith("_mask")
    remedy = "It becomes a key of the data set, of the signature and of the REST request: use letters, digits and _."
    check(ok, "A name must be a Python identifier that does not end in '_mask'.", f"{name!r}", remedy)


def check_list(argument, values):
    """Raises TypeError where one thing is given alone instead of a list of them."""
    if not isinstance(values, list | tuple):
        raise TypeError(f"{argument} must be a list. Received: {values!r}. For a single one write [it].")


def check_positive(name, **values):
    for argument, value in values.items():
        rule = f"{argument} of '{name}' must be positive."
        check(value > 0, rule, f"{argument}={value!r}", "Give a number above 0.")


def check_whole(name, **values):
    """Raises ValueError unless they are whole numbers above 0."""
    for argument, value in values.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        rule = f"{argument} of '{name}' must be a whole number."
        check(whole, rule, f"{argument}={value!r}", "Give a whole number above 0.")
    check_positive(name, **values)


def check_max_pixels(name, value):
    most = 178_956_970  # Pillow refuses more, on a device
    check_whole(name, max_pixels=value)
    rule = f"max_pixels of '{name}' may be {most} at most."
    check(value <= most, rule, f"max_pixels={value!r}", "Make larger files smaller beforehand.")


def check_choice(name, argument, value, choices):
    near = did_you_mean(value, choices)
    check(value in choices, f"{argument} of '{name}' must be one of {list(choices)}.", f"{argument}={value!r}", near)


def did_you_mean(name, choices):
    """' Did you mean ...?' for the nearest of `choices`, or an empty string."""
    near = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1)
    return f"Did you mean {near[0]!r}?" if near else ""
