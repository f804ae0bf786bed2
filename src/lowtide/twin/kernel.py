"""The event kernel: a virtual clock and a heap of callbacks.

Why it exists: hours of cluster life pass in a fraction of a second, and the same seed gives the same log.

Clock and order: the world changes only at whole seconds. Whoever causes something at time x causes it for
``floor(x) + d``, or for the next whole second where that is past. At one instant world events run first, in the order in
which they were scheduled, then the scheduler, then the autoscaler, whose loops lie between the whole seconds.
Computation takes no time.
"""

from __future__ import annotations

import enum
import heapq
import math
from collections.abc import Callable

SECOND_MS = 1000

Callback = Callable[[], None]


class Priority(enum.IntEnum):
    """Who acts first at one instant."""

    WORLD = 0
    SCHEDULER = 1
    AUTOSCALER = 2


def floor_second(time_ms: int) -> int:
    """Return the whole second at or before a time."""
    return time_ms - time_ms % SECOND_MS


def whole_ms(seconds: float) -> int:
    """Return a duration as milliseconds, rounded up to a whole second (the world's grid)."""
    return math.ceil(seconds - 1e-9) * SECOND_MS


class Kernel:
    """Runs callbacks in order of time, priority and scheduling.

    ``work`` counts the events that are not periodic: a world in which it is 0 has nothing left to do but to look at itself.
    """

    def __init__(self, start_ms: int = 0) -> None:
        self.now_ms = start_ms
        self.work = 0
        self._heap: list[tuple[int, int, int, Callback]] = []
        self._sequence = 0
        self._pending: dict[int, bool] = {}
        """Handles that have neither run nor been cancelled, and whether they are periodic."""

    def at(
        self,
        time_ms: int,
        callback: Callback,
        *,
        priority: Priority = Priority.WORLD,
        periodic: bool = False,
    ) -> int:
        """Schedule a callback at an exact time and return a handle for ``cancel``.

        Raises:
            ValueError: the time is past.
        """
        if time_ms < self.now_ms:
            raise ValueError(f"{time_ms} ms is before now, {self.now_ms} ms")
        self._sequence += 1
        handle = self._sequence
        heapq.heappush(self._heap, (time_ms, priority, handle, callback))
        self._pending[handle] = periodic
        self.work += not periodic
        return handle

    def after(self, delay_ms: int, callback: Callback, *, periodic: bool = False) -> int:
        """Schedule a world event a delay after the whole second in which now lies."""
        return self.at(self.world_time(delay_ms), callback, periodic=periodic)

    def world_time(self, delay_ms: int) -> int:
        """Return when a world event happens that is caused now and takes ``delay_ms``."""
        due_ms = floor_second(self.now_ms) + -(-delay_ms // SECOND_MS) * SECOND_MS
        return due_ms if due_ms >= self.now_ms else due_ms + SECOND_MS

    def cancel(self, handle: int) -> None:
        """Forget a callback; one that has run or was cancelled already changes nothing."""
        self.work -= self._pending.pop(handle, True) is False

    @property
    def next_ms(self) -> int | None:
        """When the next callback runs, None when there is none."""
        while self._heap and self._heap[0][2] not in self._pending:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def step(self) -> bool:
        """Run the next callback and move the clock to it; return False when there was none."""
        if self.next_ms is None:
            return False
        self.now_ms, _, handle, callback = heapq.heappop(self._heap)
        self.work -= not self._pending.pop(handle)
        callback()
        return True
