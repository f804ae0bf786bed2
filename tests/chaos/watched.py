"""One command line of lowtide, whose calls are written down and which is killed at one of them, or meets a fault there.

Usage: ``python -m tests.chaos.watched ORDER VERB ...`` with ORDER as JSON: ``{"record": FILE, "kill": POINT, "faults": FAULTS}``. Instead of being
killed, calls can meet a fault, each at its first time: FAULTS has ``fault`` as the box takes it, ``at`` (the calls' names), ``door`` and
``token`` of the box, and ``met``, a file that gets the names of those that met it.

Why it exists: lowtide itself must not know that it is killed. SIGKILL is sent by the process to itself, in the thread that makes the call,
so that the moment is exact; nothing of Python runs after it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx2

from lowtide.app import patience
from lowtide.cli.main import run
from lowtide.cli.streams import prepare_streams
from tests.chaos.calls import Call, watch
from tests.chaos.points import AFTER, BEFORE, Point

#: Seconds between two looks while lowtide waits: the box is quicker than AWS.
_SHORTEST_S, _LONGEST_S = 0.1, 0.5
#: The one fault that is not the box's.
LOST_ANSWER = "lost-answer"


class FaultsAtCalls:
    """Lets each call of a list meet a fault at its first time: of the box, or a line to Kubernetes that breaks before the answer came."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._fault = order["fault"]
        self._left = set(order["at"])
        self._door = f"{order['door']}/_lowtide/faults"
        self._token = order["token"]
        self._met = Path(order["met"])

    def before(self, call: Call) -> None:
        """Order the fault where the call is on the list."""
        if self._fault["kind"] == LOST_ANSWER or not self._meets(call):
            return
        service, _, operation = call.kind.partition(":")
        body = json.dumps({**self._fault, "service": service, "operation": operation})
        headers = {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self._door, body.encode(), headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            pass

    def after(self, call: Call) -> None:
        """Lose the answer of a call to Kubernetes."""
        if self._fault["kind"] == LOST_ANSWER and self._meets(call):
            raise httpx2.ReadError("the connection was reset")

    def _meets(self, call: Call) -> bool:
        name = call.key if call.changes else call.kind
        if name not in self._left:
            return False
        self._left.discard(name)
        with self._met.open("a", encoding="utf-8") as file:
            file.write(name + "\n")
        return True


class Witness:
    """Writes calls down, and ends the process at the point that it was given."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._point = Point.of(order["kill"]) if order.get("kill") else None
        self._record = Path(order["record"]).open("a", encoding="utf-8")  # noqa: SIM115 - until the end
        self._lock = threading.Lock()
        self._seen: dict[str, None] = {}

        self._faults = FaultsAtCalls(order["faults"]) if order.get("faults") else None

    def before(self, call: Call) -> None:
        """Hear of a call that is about to be made."""
        with self._lock:
            self._record.write(json.dumps(asdict(call)) + "\n")
            self._record.flush()
        if self._point is not None and self._point.matches(call):
            self._seen[call.exact] = None
            self._kill_at(BEFORE)
        if self._faults is not None:
            self._faults.before(call)

    def after(self, call: Call) -> None:
        """Hear of a call that was answered."""
        if self._point is not None and self._point.matches(call):
            self._kill_at(AFTER)
        if self._faults is not None:
            self._faults.after(call)

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
