"""Elapsed time on stderr while something takes longer than two seconds, for people at a terminal.

Why it exists: a silent program looks broken; a program that draws into a log file is a nuisance.

What it must not know: what is taking so long.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

QUIET_S = 2.0
REDRAW_S = 0.25
WIPE_LINE = "\r\x1b[K"


class Progress:
    """One line that is redrawn in place; call it with the virtual milliseconds that have passed."""

    def __init__(
        self,
        what: str,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._started_s = clock()
        self._drawn_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Real seconds since the start."""
        return self._clock() - self._started_s

    def named(self, what: str) -> Self:
        """Name what is being done now, and go on."""
        self._what = what
        return self

    def __call__(self, virtual_ms: int) -> None:
        """Draw the line if it is time to."""
        elapsed_s = self.elapsed_s
        if elapsed_s < QUIET_S or elapsed_s - self._drawn_s < REDRAW_S:
            return
        self._drawn_s = elapsed_s
        hours = virtual_ms / 3_600_000
        self._draw(f"\r{self._what}: {hours:,.1f} h of cluster time in {elapsed_s:.0f} s")

    def __enter__(self) -> Self:
        """Start counting."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wipe the line."""
        if self._drawn_s:
            self._draw(WIPE_LINE)

    def _draw(self, text: str) -> None:
        if self._stream.isatty():
            self._stream.write(text)
            self._stream.flush()
