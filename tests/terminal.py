"""A terminal at which somebody types, and how a run at one is broken off."""

from __future__ import annotations

import pytest

from lowtide.cli.interrupts import Terminated

#: The two ways in which a run is broken off from outside, each with its exit code and its word.
BROKEN_OFF = pytest.mark.parametrize(
    ("how", "code", "word"),
    [(KeyboardInterrupt, 130, "Interrupted."), (Terminated, 143, "Terminated.")],
)


class Terminal:
    """Standard input at which these lines are typed, one after the other."""

    def __init__(self, *answers: str) -> None:
        self._lines = iter(answers)

    def isatty(self) -> bool:
        return True

    def readline(self, *_: int) -> str:
        return next(self._lines) + "\n"
