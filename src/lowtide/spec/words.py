"""What readers of several formats say of a value: how it is quoted, and which amount is too large.

Why it exists: every reader quotes what it refuses, and a value may be megabytes long.

What it must not know: what is wrong with the value.
"""

from __future__ import annotations

#: Above it Quantity.Value and MilliValue, which schedulers count with, overflow silently (k8s.io/apimachinery,
#: pkg/api/resource/quantity.go: parsing caps 8Ei there and lets larger decimals pass).
LARGEST_QUANTITY = 2**63 - 1

_LONGEST = 60


def quoted(value: object) -> str:
    """Return a value in quotes where it is text, and no more of it than a person reads."""
    text = repr(value[:_LONGEST] if isinstance(value, str) else value)
    too_long = len(text) > _LONGEST or (isinstance(value, str) and len(value) > _LONGEST)
    return text[: _LONGEST - 3] + "..." if too_long else text
