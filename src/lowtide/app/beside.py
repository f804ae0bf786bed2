"""Tells cluster files from others by a look at their text, for hints that name files which exist.

It must not know what is in them: ``load`` reads them.
"""

from __future__ import annotations

import re
from pathlib import Path

_KIND = re.compile(rb"^kind:\s*[\"']?ClusterConfig\b", re.MULTILINE)
#: The kind stands at the top of every file that a person wrote.
_LOOKED_AT_BYTES = 64 * 1024


def is_cluster_file(path: str | Path) -> bool:
    """Return whether a file says that it is a ClusterConfig; False where it cannot be read."""
    try:
        if not Path(path).is_file():  # a pipe would be emptied by a look
            return False
        with Path(path).open("rb") as opened:
            return _KIND.search(opened.read(_LOOKED_AT_BYTES)) is not None
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False


def other_cluster_file(path: str) -> str | None:
    """Return the first other cluster file in the folder of one, None where it is alone."""
    one = Path(path)
    try:
        beside = sorted([*one.parent.glob("*.yaml"), *one.parent.glob("*.yml")])
    except OSError:
        return None
    found = (str(file) for file in beside if file.name != one.name and is_cluster_file(file))
    return next(found, None)
