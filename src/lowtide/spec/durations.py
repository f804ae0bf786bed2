"""Reads durations as kubectl and the autoscaler's flags take them: ``90s``, ``30m``, ``1h30m``.

Why it exists: one form of time in every file of ours, the one that Kubernetes users type already
(Go's ``time.ParseDuration``). A plain number is seconds.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from lowtide.spec.words import quoted

#: Above this a duration is a mistake (a hundred years), and sums of it stay far from any overflow.
LONGEST_MS = 100 * 366 * 24 * 3600 * 1000

_UNIT_MS = {
    "ns": Fraction(1, 10**6),
    "us": Fraction(1, 1000),
    "µs": Fraction(1, 1000),
    "ms": Fraction(1),
    "s": Fraction(1000),
    "m": Fraction(60_000),
    "h": Fraction(3_600_000),
}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
#: No duration that a person writes is longer, and looking through a long text for one takes very long.
_LONGEST_TEXT = 100
_FORM = "write it like 90s, 30m or 1h30m"


def duration_ms(value: object) -> int:
    """Return a duration in whole milliseconds, fractions rounded up.

    Raises:
        ValueError: it is not a duration, is negative, or is longer than a hundred years.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{quoted(value)} is not a duration: {_FORM}")  # noqa: TRY004 - one kind of refusal
    if isinstance(value, str):
        exact = _exact_ms(value.strip())
    elif isinstance(value, int) or math.isfinite(value):
        exact = Fraction(value) * 1000
    else:
        raise ValueError(f"{quoted(value)} is not a duration: {_FORM}")
    if exact < 0:
        raise ValueError(f"{quoted(value)} is negative: {_FORM}")
    if exact > LONGEST_MS:
        raise ValueError(f"{quoted(value)} is longer than a hundred years: {_FORM}")
    return math.ceil(exact)


def _exact_ms(text: str) -> Fraction:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"{quoted(text)} is not a duration: {_FORM}")
    if _NUMBER.fullmatch(text):
        return Fraction(text) * 1000
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        days = re.fullmatch(r"(\d{1,9})\s*(?:d|days?)", text, re.ASCII)
        if days:
            raise ValueError(f"{quoted(text)} has no unit for days: write {int(days[1]) * 24}h")
        raise ValueError(f"{quoted(text)} is not a duration: {_FORM}")
    return sum((Fraction(number) * _UNIT_MS[unit] for number, unit in parts), Fraction(0))
