"""Finds the number that a person meant by ``3m``, ``8Gi`` or ``50%`` in a file that wants plain numbers.

Why it exists: a key that ends in Seconds or MiB has its unit in its name, and people write it once more; "write it without quotes"
would be wrong then.

What it must not know: any file format above the units in its keys.
"""

from __future__ import annotations

import re

from lowtide.model.quantity import GIB, MIB
from lowtide.spec.durations import duration_ms

_BYTES = {
    "": 1,
    **{f"{letter}i": 1024**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
    **{letter: 1000**power for power, letter in enumerate("kMGT", 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", 1)},
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)\Z", re.ASCII)
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*%\Z", re.ASCII)


def number_meant(text: str, path: tuple[str | int, ...]) -> str:
    """Return the number to write at a path instead of a text, empty where nobody can tell.

    The unit is the one that the nearest key with a unit in its name has; ``volumeSize`` is eksctl's, in GiB.
    """
    keys = [step for step in reversed(path) if isinstance(step, str)]
    if found := _PERCENTAGE.match(text):
        percent = float(found[1])
        is_percent = any("percent" in key.lower() for key in keys[:1])
        return f"{percent:g}" if is_percent else f"{percent / 100:g}"
    for key in keys:
        if key.endswith("Seconds"):
            return _seconds(text)
        if key.endswith("MiB"):
            return _size(text, MIB)
        if key == "volumeSize":
            # Volumes are sold in GiB and everybody says GB: 100G is no 93.
            return _size(re.sub(r"(?<=\d)\s*G(i?B)?\Z", "Gi", text), GIB)
    return ""


def _seconds(text: str) -> str:
    try:
        return f"{duration_ms(text) / 1000:g}"
    except ValueError:
        return ""


def _size(text: str, unit: int) -> str:
    found = _SIZE.match(text)
    if not found or found[2] not in _BYTES:
        return ""
    amount = float(found[1]) * _BYTES[found[2]] / unit
    return f"{amount:.0f}" if amount >= 1 else ""
