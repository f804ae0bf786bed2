"""Go durations in tags and annotations, as the autoscaler reads them."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def parse_duration_ms(text: str | None, default_ms: int) -> int:
    """Return milliseconds; a missing or malformed text changes nothing, upstream only warns."""
    if text is None:
        return default_ms
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return default_ms
    return round(sum(float(number) * _UNITS_MS[unit] for number, unit in parts))
