"""The folder of a box: its lock, its door, its clusters; and what a killed box left in it.

Why it exists: whoever starts, asks or stops a box finds it by its folder alone, also one that was killed or hangs. The
lock is the system's: it is free the moment the box ends, however it ends. Who holds it is written into it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lowtide.local.autoscaler import leftovers
from lowtide.local.controlplane.ownership import Process, process
from lowtide.local.controlplane.private_files import private_folder, write_private
from lowtide.model.errors import LowtideError

#: Where the address and the token of a running box are.
DOOR_FILE = "door.json"
#: Locked while a box runs.
LOCK_FILE = "box.lock"
CLUSTERS = "clusters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a running box is reached: by its admin with ``token``, and by AWS's clients with ``environment``."""

    url: str
    token: str
    pid: int
    environment: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it down where only this user reads it."""
        write_private(folder / DOOR_FILE, json.dumps(asdict(self)))


def read_door(folder: Path) -> Door | None:
    """Return the door that a box wrote, or None; the box may be gone since."""
    try:
        return Door(**json.loads((folder / DOOR_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def lock(folder: Path) -> int:
    """Take a box's folder, which is made where it is missing, and return what holds it: ``os.close`` lets it go.

    Raises:
        LowtideError: a box runs in it.
    """
    private_folder(folder)
    held = os.open(folder / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        owner = _written(folder)
        raise LowtideError(
            "Another box runs in this folder",
            where=str(folder),
            why=f"process {owner.pid} holds {LOCK_FILE}" if owner else f"{LOCK_FILE} is held",
            fix="stop it: lowtide local fault stop",
        ) from None
    os.ftruncate(held, 0)
    os.write(held, json.dumps(asdict(process("lowtide", os.getpid()))).encode())
    return held


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a box's folder for the time of the block.

    Raises:
        LowtideError: a box runs in it.
    """
    held = lock(folder)
    try:
        yield
    finally:
        os.close(held)


@contextmanager
def one_at_a_time(boxes: Path) -> Iterator[None]:
    """Wait until nobody else starts or stops a box in this folder of boxes (made where it is missing)."""
    private_folder(boxes)
    beside = boxes.with_name(f"{boxes.name}.lock")
    waiting = os.open(beside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        yield
    finally:
        os.close(waiting)


def is_held(folder: Path) -> bool:
    """Return whether a box runs in a folder, be it that it answers or not."""
    try:
        looked = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(looked, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(looked)
    return False


def holder(folder: Path) -> Process | None:
    """Return the process that runs a folder's box, or None where none does or it has not said so yet."""
    return _written(folder) if is_held(folder) else None


def clean(folder: Path) -> list[str]:
    """End what a killed box left running, and return what that was, in words; the state stays.

    Raises:
        LowtideError: the box still runs.
    """
    if not folder.is_dir():
        return []
    from lowtide.local.controlplane.planes import Planes  # noqa: PLC0415 - whoever looks for a door needs none

    with locked(folder):
        (folder / DOOR_FILE).unlink(missing_ok=True)
        clusters = folder / CLUSTERS
        return [*Planes(clusters).sweep(), *leftovers.sweep(clusters)] if clusters.is_dir() else []


def sweep(folder: Path) -> bool:
    """Clean up after a box that was killed: its processes, then its folder. False: it still runs.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        clean(folder)
    except LowtideError:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _written(folder: Path) -> Process | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Process(**json.loads((folder / LOCK_FILE).read_text(encoding="utf-8")))
    return None
