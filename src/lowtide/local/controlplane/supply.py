"""How a long supply of programs tells where it is.

Why it exists: the build and the download report in the same words, and neither prints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What is happening to a program."""

    KEPT = "in the cache"
    WORKING = "working"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A program and what is happening to it; bytes are known for downloads."""

    name: str
    state: State
    elapsed_s: float = 0.0
    bytes_done: int = 0
    bytes_total: int = 0


#: Is told about every step, and about once a second while one is working.
Report = Callable[[Step], None]
