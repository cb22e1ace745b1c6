"""Dates of a table as text, and the numbers that they are expanded into."""

import calendar
import math
import re

# Month, day, weekday and hour are periodic: as points on a circle, December is as close to January as to November.
PARTS = ("year", "month_sin", "month_cos", "day_sin", "day_cos", "weekday_sin", "weekday_cos", "hour_sin", "hour_cos")
# ISO 8601, as written by pandas, databases and JSON; valid for Python's `re` and for RE2. Groups: year, month, day,
# hour, minute.
PATTERN = (
    r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"(?:[ T]([01][0-9]|2[0-3]):([0-5][0-9])(?::[0-5][0-9](?:[.][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
RULE = "a date is written as 2024-01-31 or 2024-01-31 18:30."


def parts(text):
    """One number for each of `PARTS`; None where the text is no date.

    The parts are those of the written time: an offset from UTC is not applied. A date without a time is at midnight.

    Example:

    >>> [round(part, 3) for part in parts("2024-01-01 06:00")]
    [2024.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    >>> parts("2023-02-29") is None
    True
    """
    found = re.fullmatch(PATTERN, text)
    if not found:
        return None
    year, month, day, hour, minute = (int(part or 0) for part in found.groups())
    if year < 1 or day > calendar.monthrange(year, month)[1]:
        return None
    weekday = calendar.weekday(year, month, day)
    turns = ((month - 1) / 12, (day - 1) / 31, weekday / 7, (hour + minute / 60) / 24)
    circles = (function(2 * math.pi * turn) for turn in turns for function in (math.sin, math.cos))
    return [float(year), *circles]
