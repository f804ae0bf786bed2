"""The priority expander's table, from its ConfigMap.

Read again at every decision by the autoscaler (expander/priority at 1.36.1); a table it cannot parse is
no table, with a warning event and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

#: The one key of names.PRIORITY_EXPANDER_CONFIG_MAP that is read.
KEY = "priorities"


def parse_priorities(text: str | None) -> Mapping[int, tuple[str, ...]] | None:
    r"""Return priority -> patterns, None when the text is not such a table.

    Go's patterns are read by Python: of its own syntax ``\z`` has another name here, and classes as ``\pL`` do not exist.
    """
    if not text:
        return None
    try:
        return {
            _priority(key): tuple(_pattern(one) for one in _listed(value))
            for key, value in yaml.safe_load(text).items()
        }
    except _UNREADABLE:
        return None


#: Go's end of text, behind no other backslash.
_GO_END = re.compile(r"(?<!\\)((?:\\\\)*)\\z")

#: A pattern may nest too deeply or repeat too often for Python, and a YAML text likewise.
_UNREADABLE = (
    AttributeError,
    IndexError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    re.error,
    yaml.YAMLError,
)


def _priority(key: object) -> int:
    if not isinstance(key, int | str):
        raise TypeError(key)
    return int(key)


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _pattern(value: object) -> str:
    """Return a pattern; a list or mapping in its place is none (Go reads the table as ``map[int][]string``)."""
    if not isinstance(value, str | int | float):
        raise TypeError(value)
    text = _GO_END.sub(r"\1\\Z", str(value))
    re.compile(text)
    return text
