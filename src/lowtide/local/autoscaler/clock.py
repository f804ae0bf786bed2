"""Real time as the clock that the autoscaler's loop runs on.

Why it exists: the loop asks for callbacks at a time; here they come when that time has come, in the one thread that runs the clock, so the
loop needs no locks.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from lowtide.twin.kernel import Priority

Callback = Callable[[], None]


class RealClock:
    """Milliseconds since the epoch. ``post`` and ``stop`` may be called from any thread, the rest from the clock's own."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, Callback]] = []
        self._numbers = itertools.count(1)
        self._cancelled: set[int] = set()
        self._posted: list[Callback] = []
        self._wake = threading.Condition()
        self._stopping = False

    @property
    def now_ms(self) -> int:
        """The time now."""
        return time.time_ns() // 1_000_000

    def at(
        self,
        time_ms: int,
        callback: Callback,
        *,
        priority: Priority = Priority.WORLD,
        periodic: bool = False,
    ) -> int:
        """Call back at a time, at once where it is past; return a handle for ``cancel``."""
        del periodic
        handle = next(self._numbers)
        heapq.heappush(self._heap, (time_ms, priority, handle, callback))
        return handle

    def cancel(self, handle: int) -> None:
        """Forget a callback; one that has run already changes nothing."""
        if any(one[2] == handle for one in self._heap):
            self._cancelled.add(handle)

    def post(self, callback: Callback) -> None:
        """Have the clock's thread call back as soon as it can."""
        with self._wake:
            self._posted.append(callback)
            self._wake.notify()

    def stop(self) -> None:
        """End ``run`` after the callback that runs now."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def run(self) -> None:
        """Call back until ``stop``."""
        while True:
            with self._wake:
                while not self._stopping and not self._posted and (wait := self._wait_s()) > 0:
                    self._wake.wait(wait)
                if self._stopping:
                    return
                posted, self._posted = self._posted, []
            for callback in posted or [self._next()]:
                callback()

    def _wait_s(self) -> float:
        while self._heap and self._heap[0][2] in self._cancelled:
            self._cancelled.discard(heapq.heappop(self._heap)[2])
        if not self._heap:
            return threading.TIMEOUT_MAX
        return max(0.0, (self._heap[0][0] - self.now_ms) / 1000)

    def _next(self) -> Callback:
        return heapq.heappop(self._heap)[3]
