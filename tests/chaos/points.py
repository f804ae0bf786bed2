"""The points at which a run is killed, chosen from the calls of a run that nobody disturbs.

Why it exists: what counts as a point is a decision, so it is a function of recorded calls and of nothing else.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from tests.chaos.calls import Call

One = TypeVar("One")

#: What happens at a call: it is killed before the request is sent, or after the answer came.
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A moment of a run: before or after the first call of that kind (and, where it is not empty, of that key).

    Where several things have one key, as instances have that a group drew names for, the call is about the ``nth`` of them. ``stage`` is
    the part of a cluster's life whose command is killed.
    """

    stage: str
    kind: str
    key: str = ""
    nth: int = 1
    moment: str = BEFORE

    @property
    def name(self) -> str:
        """One line that tells it from all others, and never changes."""
        count = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.stage}: {self.moment} {self.key or f'the first {self.kind}'}{count}"

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Point:
        """Return what ``document`` wrote."""
        return cls(**document)

    def matches(self, call: Call) -> bool:
        """Whether a call is one of those that are counted."""
        return call.key == self.key if self.key else call.kind == self.kind


def points_of(stage: str, calls: Iterable[Call]) -> tuple[Point, ...]:
    """Return the points of a run: before and after each call that changes something, and at the first of each kind that reads.

    A reading call is broken off before or after it in turn: the world is the same both times. A call that is made again about the same
    thing waits for something, and how often it is made is a matter of time; it counts once.
    """
    found: list[Point] = []
    counted: Counter[str] = Counter()
    made: set[tuple[str, str]] = set()
    read: set[str] = set()
    for call in calls:
        if call.changes:
            if (call.key, call.exact) in made:
                continue
            made.add((call.key, call.exact))
            counted[call.key] += 1
            found += [
                Point(
                    stage=stage, kind=call.kind, key=call.key, nth=counted[call.key], moment=moment
                )
                for moment in (BEFORE, AFTER)
            ]
        elif call.kind not in read:
            read.add(call.kind)
            moment = (BEFORE, AFTER)[len(read) % 2]
            found.append(Point(stage=stage, kind=call.kind, moment=moment))
    return tuple(found)


def sample(points: Sequence[One], size: int | None, seed: str) -> tuple[One, ...]:
    """Return that many of them, drawn by the seed, in their order; all where no size is given."""
    if size is None or size >= len(points):
        return tuple(points)
    drawn = set(random.Random(seed).sample(range(len(points)), size))  # noqa: S311 - no secret
    return tuple(one for place, one in enumerate(points) if place in drawn)


def lives(points: Iterable[Point]) -> tuple[tuple[Point, ...], ...]:
    """Return points in lives: each life has at most one point of each stage."""
    stages: dict[str, list[Point]] = {}
    for one in points:
        stages.setdefault(one.stage, []).append(one)
    count = max(map(len, stages.values()), default=0)
    return tuple(
        tuple(listed[place] for listed in stages.values() if place < len(listed))
        for place in range(count)
    )
