"""``local status``: what the box in the background does.

Why it exists: one answer for a box that serves, one that hangs, one that was killed and one that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowtide.app.local_door import ask
from lowtide.app.local_home import STATE_FILE, background_folder
from lowtide.local.box_folder import DOOR_FILE, holder, is_held, read_door
from lowtide.model.errors import LowtideError

RUNNING, HANGING, STOPPED, KILLED, ABSENT = "running", "hanging", "stopped", "killed", "absent"


def status() -> Mapping[str, Any]:
    """Return ``state`` (one of the words above) and ``folder``; of a running box also what it says of itself."""
    folder = background_folder()
    found: dict[str, Any] = {"state": _state(folder), "folder": str(folder)}
    if not is_held(folder):
        return found
    door = read_door(folder)
    owner = holder(folder)
    if door is None:
        return {**found, "state": HANGING, "pid": owner.pid if owner else None}
    try:
        return {**found, "state": RUNNING, "url": door.url, **ask(door, "GET", "/status")}
    except LowtideError as error:
        return {**found, "state": HANGING, "pid": door.pid, "url": door.url, "why": error.why}


def _state(folder: Path) -> str:
    if (folder / DOOR_FILE).exists():
        return KILLED
    return STOPPED if (folder / STATE_FILE).exists() else ABSENT
