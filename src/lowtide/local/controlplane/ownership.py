"""Which processes a box started, so that a later start can find them after the box was killed.

Why it exists: on Linux the kernel takes the children along; elsewhere, and in the moments in between, the record does.
A pid alone proves nothing, because pids are given again: a process is ours only if its start time is the recorded one.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lowtide.local.controlplane.private_files import write_private

RECORD = "processes.json"
_GONE_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process by its pid and start time, which together are unique on a machine."""

    name: str
    pid: int
    started: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one box owns in one cluster's folder."""

    owner: Process
    children: tuple[Process, ...]


def start_time(pid: int) -> str:
    """Return when a living process started, in words that are unique per boot; empty when there is none."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _start_time_by_ps(pid)
    try:
        # The second field is the program's name in parentheses, which may hold anything: count from the last ")".
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    # proc(5): field 3 is the state, 20 the number of threads, 22 the start time. A zombie has ended, but while other
    # threads than its first are still ending it holds its ports.
    has_ended = fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)
    return "" if has_ended else f"{boot}/{fields[19]}"


def _start_time_by_ps(pid: int) -> str:
    run = subprocess.run(  # noqa: S603 - a fixed program with a number
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return run.stdout.strip()


def process(name: str, pid: int) -> Process:
    """Return the identity of a living process."""
    return Process(name=name, pid=pid, started=start_time(pid))


def is_alive(one: Process) -> bool:
    """Return whether that very process still runs."""
    return bool(one.started) and start_time(one.pid) == one.started


def write_record(folder: Path, children: Sequence[Process]) -> None:
    """Record the children of this process."""
    record = Record(owner=process("lowtide", os.getpid()), children=tuple(children))
    write_private(folder / RECORD, json.dumps(asdict(record), indent=1))


def read_record(folder: Path) -> Record | None:
    """Return a folder's record, or None where there is none that can be read."""
    try:
        read = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        children = tuple(Process(**child) for child in read["children"])
        return Record(owner=Process(**read["owner"]), children=children)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def forget_record(folder: Path) -> None:
    """Remove a folder's record."""
    (folder / RECORD).unlink(missing_ok=True)


def kill_orphans(folder: Path, name: str) -> list[str]:
    """Kill what a folder's record says a killed box left running, forget it, and return it in words with whose it was.

    Processes whose owner still lives are left alone.
    """
    record = read_record(folder)
    if record is None or is_alive(record.owner):
        return []
    killed = [f"{one.name} of {name} (pid {one.pid})" for one in record.children if kill(one)]
    forget_record(folder)
    return killed


def kill(one: Process, *, wait_s: float = 10.0) -> bool:
    """Kill that very process, wait until it is gone, and return whether there was one to kill."""
    if not hasattr(os, "pidfd_open"):
        return _kill_by_pid(one, wait_s)
    try:
        descriptor = os.pidfd_open(one.pid)
    except OSError:
        return False
    try:
        # The descriptor stays with its process, so the pid cannot be given again between this look and the signal.
        if not is_alive(one):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], wait_s)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _kill_by_pid(one: Process, wait_s: float) -> bool:
    if not is_alive(one):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(one.pid, signal.SIGKILL)
    until = time.monotonic() + wait_s
    while is_alive(one) and time.monotonic() < until:
        time.sleep(_GONE_POLL_S)
    return True
