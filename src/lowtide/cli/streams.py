"""The three standard streams as every verb may rely on them: there, and able to take any character.

Why it exists: a shell can close a stream (``>&-``), which Python shows as None, and a locale can make one that knows ASCII
alone. Both are the user's right and no error.

What it must not know: what is printed.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path

#: What is drawn and typeset here, in characters of ASCII; one for one where columns depend on it.
_PLAIN = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█", "._-=+*%#", strict=True)),
        **dict(zip("─│└┴├┼┬…≥≤·", "-|++|++~><.", strict=True)),
        "→": "->",
        "\N{MULTIPLICATION SIGN}": "x",
    }
)
_PLAINLY = "lowtide-plainly"


def prepare_streams() -> None:
    """Put a stream to nowhere in the place of each closed one, and let each say plainly what it cannot encode.

    The three are looked at in the order of their descriptors: the lowest free one is what open() takes, so that no file
    which is opened later becomes standard output.
    """
    nowhere = Path(os.devnull)
    if sys.stdin is None:
        sys.stdin = nowhere.open(encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = nowhere.open("w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = nowhere.open("w", encoding="utf-8")
    codecs.register_error(_PLAINLY, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAINLY)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that a stream cannot encode: what looks alike, or question marks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return plain.encode("ascii", errors="replace").decode("ascii"), error.end
