"""Which process this is, in words that tell it from any other of this machine, and whether such a process still runs.

Why it exists: a run that was killed leaves its lease behind; on the same machine the next one can see that nobody holds it any more.
"""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """Return boot, process namespace, number and start of this process; empty where the system does not tell them (only Linux does)."""
    machine = _machine()
    started = _started(os.getpid())
    return f"{machine} {os.getpid()} {started}" if machine and started else ""


def has_ended(process: str) -> bool:
    """Return whether that process has ended; False where nobody can say, because it is another machine's."""
    machine, _, rest = process.partition("] ")
    number, _, started = rest.partition(" ")
    if not started or f"{machine}]" != _machine() or not number.isdigit():
        return False
    return _started(int(number)) != started


def user_and_host() -> str:
    """Return ``user@host`` as far as the system knows."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _machine() -> str:
    """Return what tells this boot of this kernel and this namespace of processes from all others."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, in ticks since the boot (proc(5), stat, field 22); empty where there is none."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # the name of a process may hold anything
    is_dead = fields[0] in {"Z", "X"}
    return "" if is_dead else fields[19]
