"""Control planes that are started by blocking calls, behind EKS's port that never blocks.

Why it exists: the room that runs processes knows nothing of EKS's states, and EKS nothing of threads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lowtide.local.aws.eks.planes_port import Key, PlaneAnswer, PlaneFailed, PlaneRequest, PlaneUp
from lowtide.model.errors import LowtideError

_log = logging.getLogger(__name__)


class PlaneThreads:
    """One thread per cluster: several start side by side, and what concerns one happens in its order."""

    def __init__(
        self, start: Callable[[PlaneRequest], PlaneUp], stop: Callable[[Key], None]
    ) -> None:
        self._start = start
        self._stop = stop
        self._threads: dict[Key, ThreadPoolExecutor] = {}

    def start(self, request: PlaneRequest, done: Callable[[PlaneAnswer], None]) -> None:
        """Start a plane and call ``done`` from its thread."""
        self._thread(request.key).submit(lambda: done(self._started(request)))

    def stop(self, key: Key) -> None:
        """Stop a plane."""
        self._thread(key).submit(self._stopped, key)

    def close(self) -> None:
        """Wait for what is under way and drop what is not; nothing is started afterwards."""
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)
        for thread in self._threads.values():
            thread.shutdown(wait=True)

    def _thread(self, key: Key) -> ThreadPoolExecutor:
        name = f"plane-{key[1]}"
        return self._threads.setdefault(
            key, ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        )

    def _started(self, request: PlaneRequest) -> PlaneAnswer:
        try:
            return self._start(request)
        except LowtideError as error:
            return PlaneFailed(why=": ".join(filter(None, [error.what, error.why])), fix=error.fix)
        except Exception as error:  # noqa: BLE001
            # A cluster must end in FAILED and not stay CREATING, whatever went wrong in starting it.
            _log.exception("control plane of %s failed", request.name)
            return PlaneFailed(why=f"{type(error).__name__}: {error}")

    def _stopped(self, key: Key) -> None:
        try:
            self._stop(key)
        except Exception:  # noqa: BLE001 - the thread goes on with the cluster's next job
            _log.exception("control plane of %s could not be stopped", key[1])
