"""One command line of lowtide, whose calls are written down and which is killed at one of them.

Usage: ``python -m tests.chaos.watched ORDER VERB ...`` with ORDER as JSON: ``{"record": FILE, "kill": POINT or null}``.

Why it exists: lowtide itself must not know that it is killed. SIGKILL is sent by the process to itself, in the thread that makes the call,
so that the moment is exact; nothing of Python runs after it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lowtide.app import patience
from lowtide.cli.main import run
from lowtide.cli.streams import prepare_streams
from tests.chaos.calls import Call, watch
from tests.chaos.points import AFTER, BEFORE, Point

#: Seconds between two looks while lowtide waits: the box is quicker than AWS.
_SHORTEST_S, _LONGEST_S = 0.1, 0.5


class Witness:
    """Writes calls down, and ends the process at the point that it was given."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._point = Point.of(order["kill"]) if order.get("kill") else None
        self._record = Path(order["record"]).open("a", encoding="utf-8")  # noqa: SIM115 - until the end
        self._lock = threading.Lock()
        self._seen: dict[str, None] = {}

    def before(self, call: Call) -> None:
        """Hear of a call that is about to be made."""
        with self._lock:
            self._record.write(json.dumps(asdict(call)) + "\n")
            self._record.flush()
        if self._point is not None and self._point.matches(call):
            self._seen[call.exact] = None
            self._kill_at(BEFORE)

    def after(self, call: Call) -> None:
        """Hear of a call that was answered."""
        if self._point is not None and self._point.matches(call):
            self._kill_at(AFTER)

    def _kill_at(self, moment: str) -> None:
        assert self._point is not None
        if self._point.moment == moment and len(self._seen) == self._point.nth:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Do what the module's docstring says."""
    witness = Witness(json.loads(sys.argv[1]))
    watch(witness.before, witness.after)
    patience.SHORTEST_S, patience.LONGEST_S = _SHORTEST_S, _LONGEST_S
    prepare_streams()
    return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
