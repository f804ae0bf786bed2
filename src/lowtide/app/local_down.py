"""``local down``: stops the box in the background, also one that hangs, and forgets or keeps what was in it.

Why it exists: afterwards no process and no port of the box is left, however it was found.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from lowtide.app.local_door import ask
from lowtide.app.local_home import STATE_FILE, Wanted, background_folder, read_wanted
from lowtide.local.box_folder import Door, clean, holder, is_held, one_at_a_time, read_door
from lowtide.local.controlplane.ownership import Process, is_alive, kill
from lowtide.model.errors import LowtideError

#: A box that stops ends its clusters first, which have some seconds for each of their programs.
_STOPS_WITHIN_S = 60.0
_TERMINATES_WITHIN_S = 15.0
_ASK_S = 5.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """What was done.

    ``ended`` are programs that had to be ended, in words; ``exported`` the variables that ``up`` printed, where this shell still has them.
    """

    ran: bool
    kept: bool
    forgot: bool
    ended: tuple[str, ...] = ()
    exported: tuple[str, ...] = ()


def down(*, keep: bool | None) -> Down:
    """Stop the box; with ``keep`` what was in it stays for the next ``up``. None: as ``up`` was told.

    Raises:
        LowtideError: a process of it cannot be ended.
    """
    folder = background_folder()
    with one_at_a_time(folder.parent):
        ran = is_held(folder)
        exported = _exported(read_door(folder))
        ended = _stop(folder) if ran else []
        ended += clean(folder)
        keeps = (read_wanted(folder) or Wanted()).keep if keep is None else keep
        had_state = (folder / STATE_FILE).exists()
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)
        return Down(
            ran=ran,
            kept=keeps and had_state,
            forgot=not keeps and had_state,
            ended=tuple(ended),
            exported=exported,
        )


def _exported(door: Door | None) -> tuple[str, ...]:
    """Return the names of all variables that ``up`` printed, none where the environment has nothing that is this box's alone."""
    if door is None:
        return ()
    alone = (one for one in door.environment.items() if not one[0].endswith("REGION"))
    if any(os.environ.get(name) == value for name, value in alone):
        return tuple(door.environment)
    return ()


def _stop(folder: Path) -> list[str]:
    """Stop the box in three steps, each harder; return what the hard ones ended."""
    owner = holder(folder)
    door = read_door(folder)
    if door is not None:
        with contextlib.suppress(LowtideError):
            ask(door, "POST", "/stop", within_s=_ASK_S)
            if _is_gone(folder, owner, _STOPS_WITHIN_S):
                return []
    if owner is not None:
        with contextlib.suppress(ProcessLookupError):
            if is_alive(owner):
                os.kill(owner.pid, signal.SIGTERM)
        if _is_gone(folder, owner, _TERMINATES_WITHIN_S):
            return []
        if kill(owner) and _is_gone(folder, owner, _TERMINATES_WITHIN_S):
            return [f"the box, which did not stop by itself (pid {owner.pid})"]
    if not is_held(folder):
        return []
    raise LowtideError(
        "The box cannot be stopped",
        where=str(folder),
        why="its lock is held, and who holds it is not known or cannot be ended",
        fix=f"end the process that has {folder}/box.lock open (fuser, lsof), then run this again",
    )


def _is_gone(folder: Path, owner: Process | None, within_s: float) -> bool:
    until = time.monotonic() + within_s
    while is_held(folder) or (owner is not None and is_alive(owner)):
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True
