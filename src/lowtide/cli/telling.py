"""What happens, line by line with the time since the start, on stderr.

Why it exists: a run of many minutes that is silent looks broken; its lines are also what a log keeps.
"""

from __future__ import annotations

import time

from lowtide.cli.output import say
from lowtide.model.live_plan import Progress


class Teller:
    """Prints what it is told; ``quiet`` only counts."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._started_s = time.monotonic()
        self._quiet = quiet

    def __call__(self, progress: Progress) -> None:
        """Print one line."""
        if self._quiet:
            return
        from lowtide.report.live import progress_text

        seconds = int(time.monotonic() - self._started_s)
        say(f"{seconds // 60:>3}m{seconds % 60:02}s  {progress_text(progress)}")
