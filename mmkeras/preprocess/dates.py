"""Dates as text -> numbers, in TensorFlow's own ops; `mmkeras.formats.dates` says which numbers."""

import math

import tensorflow as tf

from mmkeras.formats.dates import PATTERN, RULE
from mmkeras.preprocess.headers import first_true, refuse

_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BEFORE = (0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4)  # weekday offset of each month, as in Sakamoto's algorithm
_REMEDY = "Change it before: pandas.to_datetime(frame[column], format=...); a missing date is an empty string."


def date_parts(strings, name):
    """Texts (B,) -> parts (B, 9) float32, NaN where the text is empty.

    Args:
        strings: (B,) string, UTF-8.
        name: what an error calls the column.

    Raises:
        tf.errors.InvalidArgumentError: a text is no date.

    Source: the weekday is Sakamoto's, with Monday as 0.
    """
    given = strings != ""
    matches = tf.strings.regex_full_match(strings, PATTERN)
    year, month, day, hour, minute = (_group(strings, matches, i) for i in range(1, 6))
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days = tf.gather(_DAYS, month - 1) + tf.cast(leap & (month == 2), tf.int32)
    wrong = given & (~matches | (year < 1) | (day > days))
    strings = refuse(strings, name, first_true(wrong), [(RULE[0].upper() + RULE[1:], _REMEDY)])
    since = year - tf.cast(month < 3, tf.int32)
    weekday = (since + since // 4 - since // 100 + since // 400 + tf.gather(_BEFORE, month - 1) + day + 6) % 7
    hours = tf.cast(hour, tf.float32) + tf.cast(minute, tf.float32) / 60
    turns = [(month - 1) / 12, (day - 1) / 31, weekday / 7, hours / 24]
    angles = [2 * math.pi * tf.cast(turn, tf.float32) for turn in turns]
    circles = [function(angle) for angle in angles for function in (tf.sin, tf.cos)]
    parts = tf.stack([tf.cast(year, tf.float32), *circles], axis=1)
    return tf.where(tf.expand_dims(strings != "", 1), parts, math.nan)


def _group(strings, matches, i):
    """Group `i` of the pattern as (B,) int32: 0 for a time that is not given, 1 if nothing matches."""
    digits = tf.strings.regex_replace(strings, f"^{PATTERN}$", rf"0\{i}")
    return tf.strings.to_number(tf.where(matches, digits, "1"), tf.int32)
