"""How many of something exist at each moment, and what they cost per hour together.

Why it exists: peaks, final counts and rates over time all come from one pass over starts and
ends, fast enough for runs with tens of thousands of instances.

What it must not know: what is counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

NANO: Final = 10**9


class Span(NamedTuple):
    """Something that exists from its start until just before its end, and costs a rate meanwhile."""

    start_ms: int
    end_ms: int
    usd_per_hour: float = 0.0


class Level(NamedTuple):
    """How many exist, and what they cost together in nano-USD per hour.

    Whole nano-USD keep the sum exact over any number of starts and ends: when the last span is over, the
    rate is 0 and not the rounding error of a float.
    """

    alive: int
    nano_usd_per_hour: int


EMPTY: Final = Level(0, 0)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Levels, each from its moment until the next; before the first one nothing exists."""

    moments_ms: tuple[int, ...]
    levels: tuple[Level, ...]

    def at(self, moment_ms: int) -> Level:
        """Return the level that holds at a moment."""
        index = bisect_right(self.moments_ms, moment_ms)
        return self.levels[index - 1] if index else EMPTY

    def peak(self) -> Level:
        """Return the level with the most alive, of equal ones the dearest."""
        return max(self.levels, default=EMPTY)


def timeline_of(spans: Iterable[Span]) -> Timeline:
    """Return the levels of spans in order of time; spans without length never exist."""
    changes: dict[int, tuple[int, int]] = {}
    for start_ms, end_ms, usd_per_hour in spans:
        if end_ms <= start_ms:
            continue
        nano = round(usd_per_hour * NANO)
        for moment_ms, sign in ((start_ms, 1), (end_ms, -1)):
            alive, rate = changes.get(moment_ms, EMPTY)
            changes[moment_ms] = (alive + sign, rate + sign * nano)
    moments = sorted(changes)
    levels: list[Level] = []
    alive, rate = EMPTY
    for moment_ms in moments:
        more, dearer = changes[moment_ms]
        alive, rate = alive + more, rate + dearer
        levels.append(Level(alive, rate))
    return Timeline(tuple(moments), tuple(levels))
