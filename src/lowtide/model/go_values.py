"""Flag, tag and annotation values as Go reads them, because the Cluster Autoscaler is a Go program.

A value that Go refuses stops the container, so the twin must refuse the same ones. Every parser
raises ValueError with the text that Go's flag package gives (flag.go: ``parse error``).
"""

from __future__ import annotations

import re
from decimal import Decimal

PARSE_ERROR = "parse error"

#: No value of a flag, tag or annotation that means one number is longer, and Python refuses to read very long ones.
LONGEST_TEXT = 100

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DURATION = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_MS = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "µs": Decimal("0.001"),
    "μs": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60_000),
    "h": Decimal(3_600_000),
}
_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9]\d*|0)")
_FLOAT = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def parse_bool(text: str) -> bool:
    """Return a boolean as strconv.ParseBool does.

    Raises:
        ValueError: Go would refuse the text.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(PARSE_ERROR)


def parse_int(text: str) -> int:
    """Return an integer as strconv.ParseInt(text, 0, 64) does: 0x, 0o, 0b and a leading 0 count.

    Raises:
        ValueError: Go would refuse the text.
    """
    if len(text) > LONGEST_TEXT or not _INTEGER.fullmatch(text):
        raise ValueError(PARSE_ERROR)
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def parse_float(text: str) -> float:
    """Return a decimal number; infinities and hexadecimal floats have no use in these flags.

    Raises:
        ValueError: the text is not a decimal number.
    """
    if len(text) > LONGEST_TEXT or not _FLOAT.fullmatch(text):
        raise ValueError(PARSE_ERROR)
    return float(text)


def parse_duration_ms(text: str) -> int:
    """Return a duration such as ``1h30m`` in milliseconds, as time.ParseDuration reads it.

    A number without a unit is an error, except ``0``. Fractions of a millisecond are rounded.

    Raises:
        ValueError: Go would refuse the text.
    """
    if text in {"0", "+0", "-0"}:
        return 0
    if len(text) > LONGEST_TEXT or not _DURATION.fullmatch(text):
        raise ValueError(PARSE_ERROR)
    total = sum(Decimal(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))
    return round(-total if text.startswith("-") else total)


def format_duration(milliseconds: int) -> str:
    """Return a duration as Go's time.Duration prints it: ``45.25s``, ``3m0s``, ``1h0m0.5s``, ``250ms``."""
    sign, rest = ("-" if milliseconds < 0 else ""), abs(milliseconds)
    if 0 < rest < 1000:
        return f"{sign}{rest}ms"
    minutes, rest = divmod(rest, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / 1000:g}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"
