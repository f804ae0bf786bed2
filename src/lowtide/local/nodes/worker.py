"""A thread that does things at their time, and again where a server was away.

Why it exists: a node registers some time after its instance started, a GPU appears some time after its plugin; an API server or a fault
of the embedded AWS may be in the way of each.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lowtide.kube.live.client import Unreachable
from lowtide.local.aws.errors import AwsError
from lowtide.model.errors import KubernetesError

_log = logging.getLogger(__name__)

_RETRY_S = 1.0
#: What a server that answers has refused this often is given up.
_MOST_REFUSALS = 5


@dataclass(order=True, slots=True)
class _Task:
    at: float
    number: int
    work: Callable[[], None] = field(compare=False)
    refusals: int = field(compare=False, default=0)


class Worker:
    """Does one thing after the other. What it does must be safe to do twice."""

    def __init__(self, name: str) -> None:
        self._tasks: list[_Task] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after what is being done; nothing is done afterwards. From any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Do something after that many seconds of real time."""
        self._put(_Task(time.monotonic() + seconds, next(self._numbers), work))

    def _put(self, task: _Task) -> None:
        with self._changed:
            heapq.heappush(self._tasks, task)
            self._changed.notify_all()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                task.work()
            except (Unreachable, AwsError) as error:
                self._again(task, error, refusals=0)
            except KubernetesError as error:
                self._again(task, error, refusals=task.refusals + 1)
            except Exception:  # noqa: BLE001
                # One node's trouble must not end the work for all others; it is in the box's log.
                _log.exception("%s failed", self._thread.name)

    def _again(self, task: _Task, error: Exception, *, refusals: int) -> None:
        if refusals >= _MOST_REFUSALS:
            _log.warning("%s gave up: %s (%s)", self._thread.name, error, getattr(error, "why", ""))
            return
        at = time.monotonic() + _RETRY_S
        self._put(_Task(at, next(self._numbers), task.work, refusals))

    def _next(self) -> _Task | None:
        with self._changed:
            while not self._stopping:
                wait = self._tasks[0].at - time.monotonic() if self._tasks else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._tasks)
                self._changed.wait(wait)
        return None
