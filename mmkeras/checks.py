"""Checks of arguments; each error states the rule, what was received, and what to do."""

import difflib
import math
import numbers


def check(ok, rule, received, remedy):
    """Raises ValueError unless `ok`, with a message made of the other three sentences."""
    if not ok:
        raise ValueError(f"{rule} Received: {received}. {remedy}")


def check_name(name):
    """Raises ValueError unless it is a valid name of a spec, a column or a head."""
    ok = isinstance(name, str) and name.isidentifier() and not name.endswith("_mask")
    remedy = (
        "It becomes a key of the data set, of the signature and of the REST request: use letters, digits and _. For a "
        "column that is called differently, give the readers columns={name: column}."
    )
    check(ok, "A name must be a Python identifier that does not end in '_mask'.", f"{name!r}", remedy)


def check_list(argument, values):
    """Raises TypeError if a single value is given instead of a list."""
    if not isinstance(values, list | tuple):
        raise TypeError(f"{argument} must be a list. Received: {values!r}. For a single one write [it].")


def check_positive(name, **values):
    """Raises ValueError unless all values are finite numbers above 0."""
    for argument, value in values.items():
        number = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
        rule = f"{argument} of '{name}' must be positive."
        check(number and value > 0, rule, f"{argument}={value!r}", "Give a number above 0.")


def check_whole(name, **values):
    """Raises ValueError unless all values are whole numbers above 0."""
    for argument, value in values.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        rule = f"{argument} of '{name}' must be a whole number."
        check(whole, rule, f"{argument}={value!r}", "Give a whole number above 0.")
    check_positive(name, **values)


def check_pixels(spec):
    """Returns (height, width) of an image spec; raises ValueError if its arguments are invalid."""
    size = spec.size if isinstance(spec.size, list | tuple) else (spec.size, spec.size)
    check(len(size) == 2, f"size of '{spec.name}' must be (height, width).", f"{spec.size!r}", "Give two numbers.")
    check_whole(spec.name, height=size[0], width=size[1], channels=spec.channels)
    check_choice(spec.name, "channels", spec.channels, (1, 3))
    check_choice(spec.name, "resize", spec.resize, ("stretch", "pad", "crop"))
    check_max_pixels(spec.name, spec.max_pixels)
    return tuple(size)


def check_share(name, **values):
    """Raises ValueError unless all values are at least 0 and below 1."""
    for argument, value in values.items():
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        rule = f"{argument} of '{name}' must be at least 0 and below 1."
        check(number and 0 <= value < 1, rule, f"{argument}={value!r}", "Give a share, such as 0.1.")


def check_resolution(what, mean, std):
    """Raises ValueError if float32 is too coarse for a column of numbers.

    The spacing of float32 near the mean must be at most a hundredth of the standard deviation, so that rounding is
    negligible. A column without deviation may have lost it by rounding: it is refused if float32 does not distinguish
    whole numbers there.
    """
    step = math.ldexp(1.0, math.frexp(mean)[1] - 24) if mean else 0.0
    check(100 * step <= std or (std == 0 and step < 2), f"{what} must differ by more than float32 can resolve.",
           f"mean {mean:.10g} and deviation {std:.3g}, where the spacing of float32 is {step:g}",
           "Subtract an offset first, such as the smallest value, in training and in serving.")  # fmt: skip


def check_max_pixels(name, value):
    most = 178_956_970  # Pillow refuses larger images, and it decodes them on devices
    check_whole(name, max_pixels=value)
    rule = f"max_pixels of '{name}' may be {most} at most."
    check(value <= most, rule, f"max_pixels={value!r}", "Make larger files smaller beforehand.")


def check_choice(name, argument, value, choices):
    near = did_you_mean(value, choices)
    check(value in choices, f"{argument} of '{name}' must be one of {list(choices)}.", f"{argument}={value!r}", near)


def plain(value):
    """A scalar of NumPy as one of Python, which is shown as it was given: 1.0, not np.float64(1.0)."""
    return value.item() if hasattr(value, "item") else value


def did_you_mean(name, choices):
    """' Did you mean ...?' for the nearest of `choices`, or an empty string."""
    near = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def suggested(names, choices):
    """`names` as text, each with the nearest of `choices`, such as "'fotos' Did you mean 'photo'?, 'age'"."""
    return ", ".join(f"{name!r} {did_you_mean(name, choices)}".strip() for name in names)


def check_keys(rule, received, expected, hint=""):
    """Raises ValueError unless `received` has exactly the keys that are expected, in any order.

    Args:
        rule: what the message begins with.
        received, expected: dicts, or lists of keys.
        hint: what the message ends with.
    """
    missing = [key for key in expected if key not in received]
    unknown = suggested([key for key in received if key not in expected], expected)
    if missing or unknown:
        raise ValueError(
            f"{rule} Expected: {list(expected)}. Received: {list(received)}. Missing: {missing}. "
            f"Unknown: [{unknown}].{hint}"
        )
