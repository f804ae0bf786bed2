"""Values of tags and annotations, read as the autoscaler reads them.

A missing or malformed value changes nothing: upstream warns and keeps its default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lowtide.model import go_values

Value = TypeVar("Value", bool, int, float)


def duration_ms(text: str | None, default: int) -> int:
    """Return a Go duration in milliseconds."""
    return _parsed(go_values.parse_duration_ms, text, default)


def number(text: str | None, default: float) -> float:
    """Return a decimal number."""
    return _parsed(go_values.parse_float, text, default)


def flag(text: str | None, *, default: bool) -> bool:
    """Return a boolean."""
    return _parsed(go_values.parse_bool, text, default)


def _parsed(parse: Callable[[str], Value], text: str | None, default: Value) -> Value:
    if text is None:
        return default
    try:
        return parse(text)
    except ValueError:
        return default
