"""What happens, line by line with the time since the start, on stderr.

Why it exists: a run of many minutes that is silent looks broken; its lines are also what a log keeps. Of a stack's resources a log needs
those that failed or were long waited for, and from time to time how many are done; a terminal has one line for that, redrawn in place.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from lowtide.cli.output import say, width_of
from lowtide.cli.progress import WIPE_LINE
from lowtide.cli.stack_counts import StackCounts, is_of_stack, is_tidying
from lowtide.model.live_plan import Progress

#: A resource that nothing came before for so long was what its stack waited for.
LONG_S = 60.0
#: Between two counts in a log: at least so long, and so long where nothing changes.
COUNT_S = 15.0
UNCHANGED_S = 60.0
TICK_S = 1.0


class Teller:
    """Prints what it is told; ``verbose`` prints all of it, ``totals`` says how many resources a stack will have.

    As a context it also looks at the clock, so that a long wait is seen to be one.
    """

    def __init__(
        self,
        *,
        verbose: bool = False,
        totals: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verbose = verbose
        self._clock = clock
        self._started_s = clock()
        self._counts = StackCounts(totals or {})
        self._counted = (self._started_s, 0)
        self._live = width_of(sys.stderr)
        self._is_drawn = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick_on, name="progress", daemon=True)

    def __enter__(self) -> Self:
        """Start the clock."""
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it, and leave no half line behind."""
        self._ended.set()
        self._ticker.join()
        with self._lock:
            self._wipe()

    def __call__(self, progress: Progress) -> None:
        """Print one line, if it is worth one."""
        with self._lock:
            silent_s, more = 0.0, ""
            if progress.part or is_of_stack(progress):
                silent_s, more = self._counts.hear(progress, self._clock())
            if progress.part and silent_s >= LONG_S:
                more = f"after {silent_s:.0f} s"
            if self._verbose or more or _is_worth_a_line(progress):
                self._say(progress, f"  {more}" if more else "")
        self.tick()

    def tick(self) -> None:
        """Show how far the stacks are, if it is time to."""
        with self._lock:
            if self._live is not None:
                self._draw(self._live)
                return
            now_s, (counted_s, done) = self._clock(), self._counted
            is_news = self._counts.done != done and not self._verbose
            text = self._counts.text(now_s)
            if text and now_s - counted_s >= (COUNT_S if is_news else UNCHANGED_S):
                self._counted = (now_s, self._counts.done)
                say(f"{self._elapsed()}  {text}")

    def _tick_on(self) -> None:
        while not self._ended.wait(TICK_S):
            self.tick()

    def _say(self, progress: Progress, more: str) -> None:
        from lowtide.report.live import progress_text

        self._wipe()
        say(f"{self._elapsed()}  {progress_text(progress)}{more}")
        self._counted = (self._clock(), self._counts.done)

    def _elapsed(self) -> str:
        seconds = int(self._clock() - self._started_s)
        return f"{seconds // 60:>3}m{seconds % 60:02}s"

    def _draw(self, width: int) -> None:
        """Redraw the line in place; one that wraps could not be wiped."""
        self._wipe()
        text = self._counts.text(self._clock())
        if text:
            self._write(f"{self._elapsed()}  {text}"[: max(width - 1, 0)])
            self._is_drawn = True

    def _wipe(self) -> None:
        if self._is_drawn:
            self._write(WIPE_LINE)
            self._is_drawn = False

    @staticmethod
    def _write(text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            sys.stderr.write(text)
            sys.stderr.flush()


def _is_worth_a_line(progress: Progress) -> bool:
    """Return whether a log needs it: no resource that is done, and none that was only stopped because another one failed."""
    if progress.part:
        is_cancelled = progress.reason.rstrip(".").lower().endswith("cancelled")
        return progress.status.endswith("_FAILED") and not is_cancelled
    # Objects are counted by the result.
    return progress.status != "applied" and not is_tidying(progress)
