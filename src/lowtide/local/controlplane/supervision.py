"""Keeps the processes of one control plane running, and stops them in order.

Why it exists: a part that ends is started again after a pause; one that keeps ending makes the plane failed, with its
last words. The record of processes is written at every change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lowtide.local.controlplane.ownership import forget_record, write_record
from lowtide.local.controlplane.private_files import private_folder
from lowtide.local.controlplane.processes import Child, Command, Starter
from lowtide.model.errors import LowtideError

#: What is written to stops last; all others stop before these.
_STOP_LAST = ("kube-apiserver", "etcd")
_STOP_WITHIN_S = 5.0
_POLL_S = 0.1
_WATCH_S = 0.5
_READY_WITHIN_S = 180.0
_RESTARTS = 5
#: Who lived this long has recovered.
_RECOVERED_S = 60.0


class ChildEnded(Exception):  # noqa: N818 - a fact about a child, handled by whoever started it
    """A process ended while it was waited for."""

    def __init__(self, child: Child) -> None:
        super().__init__(child.command.name)
        self.child = child

    @property
    def port_was_taken(self) -> bool:
        """Whether it ended because another process has its port."""
        return "address already in use" in self.child.said(lines=40)


class Supervisor:
    """The processes of one control plane, in ``folder``."""

    def __init__(
        self,
        folder: Path,
        starter: Starter,
        stopping: threading.Event,
        *,
        first_pause_s: float = 1.0,
    ) -> None:
        self._folder = folder
        self._logs = private_folder(folder / "logs")
        self._starter = starter
        self._children: dict[str, Child] = {}
        self._lock = threading.Lock()
        self._box_stops = stopping
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._failures: dict[str, str] = {}
        self._first_pause_s = first_pause_s

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by program."""
        with self._lock:
            return {name: child.pid for name, child in self._children.items()}

    @property
    def failure(self) -> str:
        """Why the plane is failed; empty while it is not."""
        return "; ".join(self._failures.values())

    def launch(self, command: Command) -> None:
        """Start a program."""
        with self._lock:
            if self._stopping.is_set():
                return
            log = self._logs / f"{command.name}.log"
            self._children[command.name] = self._starter.start(
                command, folder=self._folder, log=log
            )
            write_record(self._folder, [child.identity for child in self._children.values()])

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until something is ready.

        Raises:
            ChildEnded: a process ended meanwhile.
            LowtideError: it takes too long, or the box stops.
        """
        until = time.monotonic() + _READY_WITHIN_S
        while not ready():
            self._raise_if_ended()
            if self._box_stops.wait(_POLL_S):
                raise LowtideError("The box is stopping", where=what, why="it was told to stop")
            if time.monotonic() > until:
                raise LowtideError(
                    f"{what} does not get ready",
                    where=str(self._logs),
                    why=f"it was waited for {_READY_WITHIN_S:.0f} s",
                    fix="look into its log; a machine without free memory or CPU is the usual cause",
                )

    def watch(self) -> None:
        """From now on, start again what ends."""
        self._watcher = threading.Thread(target=self._watch, name="plane-watch", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop all processes: controllers first, etcd last."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._lock:
            last = [self._children.pop(name, None) for name in _STOP_LAST]
            _end(list(self._children.values()))
            for child in last:
                _end([child] if child else [])
            self._children.clear()
            forget_record(self._folder)

    def _raise_if_ended(self) -> None:
        with self._lock:
            for child in self._children.values():
                if child.exit_code is not None:
                    raise ChildEnded(child)

    def _watch(self) -> None:
        attempts: dict[str, int] = {}
        due: dict[str, float] = {}
        while not self._stopping.wait(_WATCH_S):
            with self._lock:
                children: Mapping[str, Child] = dict(self._children)
            for name, child in children.items():
                if child.exit_code is None or name in self._failures:
                    continue
                if name not in due:
                    lived_s = time.monotonic() - child.started_s
                    attempts[name] = 1 if lived_s > _RECOVERED_S else attempts.get(name, 0) + 1
                    due[name] = time.monotonic() + self._first_pause_s * 2 ** (attempts[name] - 1)
                if attempts[name] > _RESTARTS:
                    self._failures[name] = (
                        f"{name} ended {attempts[name]} times, last with {child.exit_code}: "
                        f"{child.said()}"
                    )
                elif time.monotonic() >= due[name]:
                    del due[name]
                    self.launch(child.command)


def _end(children: list[Child]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.end(_STOP_WITHIN_S)
