"""One measured figure: the median of five after a warm-up, beside its target."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

RUNS = 5
WIDTH = 62


def _row(name: str, *cells: str) -> str:
    return f"{name:{WIDTH}}" + "".join(f"{cell:>12}" for cell in cells)


HEADER = _row("", "median", "min", "max", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Seconds of each run, or why there are none; ``per_run`` turns them into so many things a second.

    ``target_s`` None means that nothing is promised yet.
    """

    name: str
    seconds: tuple[float, ...] = ()
    target_s: float | None = None
    per_run: int = 0
    failure: str = ""

    @property
    def is_met(self) -> bool:
        """Whether there is a figure and it keeps its target."""
        if self.failure:
            return False
        return self.target_s is None or statistics.median(self.seconds) <= self.target_s

    def line(self) -> str:
        """Return the figure as a line below ``HEADER``."""
        if self.failure:
            return f"{self.name:{WIDTH}}  failed: {self.failure}"
        ends = sorted((min(self.seconds), max(self.seconds)), reverse=bool(self.per_run))
        shown = [self._shown(one) for one in (statistics.median(self.seconds), *ends)]
        target = "-" if self.target_s is None else self._shown(self.target_s)
        verdict = "ok" if self.is_met else "over"
        return _row(self.name, *shown, target) + (f"  {verdict}" if self.target_s else "")

    def _shown(self, seconds: float) -> str:
        return f"{self.per_run / seconds:,.0f}/s" if self.per_run else f"{seconds * 1000:,.1f} ms"


def measured(action: Callable[[], object]) -> tuple[float, ...]:
    """Return the seconds of each run of an action, after one that does not count."""
    action()
    return tuple(_seconds_of(action) for _ in range(RUNS))


def _seconds_of(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
