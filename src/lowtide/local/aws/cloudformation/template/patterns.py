"""Whether a text matches the AllowedPattern of a parameter, in bounded time.

Why it exists: a group that is repeated and repeats something itself can take Python longer than anybody waits, and
nothing else of the process runs meanwhile. Such patterns are matched in a process of their own, which can be ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

#: How long a match may take, in seconds, beside what it takes to start Python.
_TIME_S = 3.0
#: Below this length not even such a pattern takes long.
_SHORT = 16
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_PROGRAM = "import json, re, sys; sys.exit(not re.fullmatch(*json.load(sys.stdin)))"


def matches(pattern: str, text: str) -> bool:
    """Return whether a whole text matches a pattern that compiles; one that takes too long does not match."""
    if len(text) < _SHORT or not _REPEATED_GROUP.search(pattern):
        return re.fullmatch(pattern, text) is not None
    try:
        ran = subprocess.run(  # noqa: S603 - our own program; the pattern is its input
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=json.dumps([pattern, text]).encode(),
            capture_output=True,
            timeout=_TIME_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0
