"""Starts programs so that none outlives the box, and reads what they said.

Why it exists: on Linux the kernel itself kills a child whose parent ends (prctl(2), PR_SET_PDEATHSIG), however the
parent ends. The setting follows the *thread* that started the child, so one thread, which lives as long as the box,
starts all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lowtide.local.controlplane.ownership import Process, process

#: Runs in a new interpreter and becomes the program: a preexec_fn may deadlock in a process with threads.
_BECOME = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):  # the parent ended before the setting was made
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
#: A log that is longer is set aside at the next start of its program; one such is kept.
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program with its arguments."""

    name: str
    program: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """A program that was started."""

    def __init__(self, command: Command, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.command = command
        self.log = log
        self.started_s = time.monotonic()
        self.identity: Process = process(command.name, popen.pid)
        self._popen = popen
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    @property
    def lived_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started_s

    def said(self, lines: int = 5) -> str:
        """Return the last lines that it wrote since this start."""
        with self.log.open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(self._log_start, end - _TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def terminate(self) -> None:
        """Ask it to end."""
        self._popen.terminate()

    def end(self, within_s: float) -> None:
        """Wait until it ended, and kill it where that takes longer."""
        try:
            self._popen.wait(within_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def log_starts_at(self, offset: int) -> None:
        """Say where in the log this start begins."""
        self._log_start = offset


class Starter:
    """The one thread that starts programs."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")

    def start(self, command: Command, *, folder: Path, log: Path) -> Child:
        """Start a program in a session of its own, in ``folder``, with its output appended to ``log``."""
        return self._thread.submit(_start, command, folder, log).result()

    def close(self) -> None:
        """End the thread; on Linux this kills what it started and nobody stopped."""
        self._thread.shutdown()


def _start(command: Command, folder: Path, log: Path) -> Child:
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    arguments = [str(command.program), *command.arguments]
    if sys.platform == "linux":
        arguments = [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *arguments]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        offset = os.fstat(descriptor).st_size
        popen = subprocess.Popen(  # noqa: S603 - the programs of the control plane
            arguments,
            cwd=folder,
            env={**_environment(folder), **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    child = Child(command, popen, log)
    child.log_starts_at(offset)
    return child


def _environment(folder: Path) -> dict[str, str]:
    # Nothing of the user's: no proxy between the parts, no credentials, no settings of theirs in HOME.
    return {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder)}
