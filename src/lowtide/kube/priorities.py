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
    """Return priority -> patterns, None when the text is not such a table."""
    if not text:
        return None
    try:
        raw = yaml.safe_load(text)
        table = {int(key): tuple(str(one) for one in value) for key, value in raw.items()}
        for patterns in table.values():
            for pattern in patterns:
                re.compile(pattern)
    except (AttributeError, TypeError, ValueError, re.error, yaml.YAMLError):
        return None
    return table
