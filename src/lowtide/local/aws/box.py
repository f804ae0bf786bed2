"""The box: services, their state, one lock, and timers, behind one function ``call``.

Why it exists: services call one another (CloudFormation creates what the others hold) and wait for
things that take time. One lock makes concurrent clients safe; timers are data, so that a box that was
stopped goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.events import Event
from lowtide.local.aws.service import Call, Caller, Service
from lowtide.local.aws.settings import Settings

_log = logging.getLogger(__name__)

#: Operations that start so change nothing that must be kept.
READS = (
    "Describe",
    "Get",
    "List",
    "Search",
    "Simulate",
    "Filter",
    "BatchGet",
    "Lookup",
    "Validate",
    "Estimate",
)


class Behind(Protocol):
    """Whoever answers what the box's own services do not (moto)."""

    def call(self, call: Call) -> Mapping[str, Any]:
        """Answer in the shape of botocore's output model, or raise AwsError."""
        ...


class Fault(Protocol):
    """Looks at every call before it is answered, and may refuse it by raising AwsError."""

    def __call__(self, box: Box, call: Call) -> None:
        """Raise AwsError to refuse."""
        ...


@dataclass(order=True, slots=True)
class Due:
    """A timer: at ``at`` (seconds since the epoch) the service's timer of that name is called."""

    at: float
    number: int
    service: str = field(compare=False)
    timer: str = field(compare=False)
    arguments: Mapping[str, Any] = field(compare=False)


class Box:
    """The embedded AWS without its door. Thread-safe: every entry takes the lock."""

    def __init__(
        self, settings: Settings, services: Iterable[Service], *, behind: Behind | None = None
    ) -> None:
        self.settings = settings
        self.services = {one.name: one for one in services}
        self.behind = behind
        self.lock = threading.RLock()
        self.states: dict[str, Any] = {name: one.state() for name, one in self.services.items()}
        self.due: list[Due] = []
        self.faults: list[Fault] = []
        #: Told, under the lock, at the end of every outermost call or timer that may have changed something.
        self.on_change: Callable[[], None] | None = None
        #: Called when the box has stopped, to let go of what keeps its state.
        self.on_close: Callable[[], None] | None = None
        # Live parts that services ask for by name (control planes, objects in clusters): never kept in a file.
        self.ports: dict[str, Any] = {}
        self._numbers = itertools.count(1)
        self._subscribers: list[Callable[[Event], None]] = []
        self._wake = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._depth = 0
        self._is_changed = False
        # The time of the latest timer that ran: ahead of the clock only where run_due was given a time.
        self._moment = 0.0

    @property
    def itself(self) -> Caller:
        """The caller that services are when they call one another."""
        account = self.settings.account
        return Caller(
            account=account, arn=f"arn:aws:iam::{account}:role/aws-service", user_id="AROABOX"
        )

    def now(self) -> dt.datetime:
        """Return the box's time, in UTC."""
        return dt.datetime.fromtimestamp(max(time.time(), self._moment), tz=dt.UTC)

    def state(self, service: str) -> Any:
        """Return the state of a service, which only that service reads and writes."""
        return self.states[service]

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any] | None = None,
        *,
        region: str = "",
        caller: Caller | None = None,
    ) -> Mapping[str, Any]:
        """Answer a call as AWS does; params and answer have the shapes of botocore's models."""
        call = Call(
            service=service,
            operation=operation,
            params=params or {},
            region=region or self.settings.region,
            caller=caller or self.itself,
        )
        with self._entered():
            if not operation.startswith(READS):
                self.note_change()
            for fault in self.faults:
                fault(self, call)
            ours = self.services.get(service)
            if ours is not None and operation in ours.operations:
                return ours.operations[operation](self, call)
            if self.behind is None or (ours is not None and ours.whole):
                raise AwsError(
                    "InvalidAction", f"The embedded AWS does not serve {service}:{operation}."
                )
            return self.behind.call(call)

    def after(self, seconds: float, service: str, timer: str, **arguments: Any) -> None:
        """Call the service's timer after that many seconds of AWS's time, which ``speed`` divides."""
        with self.lock:
            at = max(time.time(), self._moment) + seconds / self.settings.speed
            due = Due(at, next(self._numbers), service, timer, arguments)
            heapq.heappush(self.due, due)
            self._wake.notify_all()
            self.note_change()

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call the listener at every event, under the lock."""
        self._subscribers.append(listener)

    def publish(self, event: Event) -> None:
        """Tell every subscriber of an event."""
        for listener in self._subscribers:
            listener(event)

    def start(self) -> None:
        """Let timers run, in a thread of the box."""
        self._thread = threading.Thread(target=self._run, name="box-timers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the timers; those that are left stay in ``due``."""
        with self.lock:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self.lock:
            self._tell_change()
            if self.on_close is not None:
                self.on_close()
            self.on_change = self.on_close = None

    def run_due(self, now: float | None = None) -> int:
        """Run the timers that are due and return how many ran; tests call it with a time of their own."""
        ran = 0
        with self.lock:
            while self.due and self.due[0].at <= (time.time() if now is None else now):
                self._fire(heapq.heappop(self.due))
                ran += 1
        return ran

    def _run(self) -> None:
        with self.lock:
            while not self._stopping:
                self.run_due()
                wait = self.due[0].at - time.time() if self.due else None
                if wait is None or wait > 0:
                    self._wake.wait(wait)

    def note_change(self) -> None:
        """Say that something changed that must be kept; calls that are no reads and timers say so by themselves."""
        with self._entered():
            self._is_changed = True

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._is_changed:
                    self._is_changed = False
                    self._tell_change()

    def _tell_change(self) -> None:
        try:
            if self.on_change is not None:
                self.on_change()
        except Exception:  # noqa: BLE001
            # The call was answered; that it could not be kept is for the log, and for the end of the box.
            _log.exception("the state could not be kept")

    def _fire(self, due: Due) -> None:
        self._moment = max(self._moment, due.at)
        try:
            with self._entered():
                self.note_change()
                self.services[due.service].timers[due.timer](self, **due.arguments)
        except Exception:  # noqa: BLE001
            # One service's defect must not stop the time of all others; it is in the box's log.
            _log.exception("timer %s of %s failed", due.timer, due.service)
