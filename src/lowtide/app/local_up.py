"""``local up``: starts the box in the background, or goes on with the one that is there.

Why it exists: a box that was stopped with its state kept, one that was killed and one that runs already all look alike
to whoever types ``up``: afterwards a box serves, and what was found on the way is told.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowtide.app.local_door import ask
from lowtide.app.local_home import (
    FAILURE_FILE,
    LOG_FILE,
    STATE_FILE,
    WANTED_FILE,
    Wanted,
    background_folder,
    check_extra,
    last_port,
    read_wanted,
)
from lowtide.local.box_folder import (
    DOOR_FILE,
    Door,
    clean,
    holder,
    is_held,
    one_at_a_time,
    read_door,
)
from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.private_files import private_folder, write_private
from lowtide.local.controlplane.releases import DEFAULT_MINOR
from lowtide.local.listeners import listener_on
from lowtide.model.errors import InputError, LowtideError

_READY_WITHIN_S = 60.0
_POLL_S = 0.05
_ASK_S = 5.0
#: A longer log is set aside at the next start; one such is kept.
_LOG_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """A box that serves. ``notes`` are sentences on what was found on the way."""

    door: Door
    folder: Path
    ran_already: bool
    notes: tuple[str, ...] = ()


def up(given: Mapping[str, Any]) -> Up:
    """Start the box, with the fields of ``Wanted`` that were given; the others are as they were, or the defaults.

    Raises:
        InputError: the extra is not installed, an option is wrong, or the box runs otherwise.
        LowtideError: programs are missing, or the box does not start or answer.
    """
    check_extra()
    folder = background_folder()
    with one_at_a_time(folder.parent):
        before = read_wanted(folder)
        if is_held(folder) and (running := _running(folder, before or Wanted(), given)):
            return running
        wanted = (before or Wanted()).changed(given)
        find_binaries(DEFAULT_MINOR, folder=wanted.binaries)
        private_folder(folder)
        notes = _found(folder)
        port_before = last_port(folder)
        write_private(folder / WANTED_FILE, wanted.text())
        try:
            door = _start(folder)
        except LowtideError:
            running = _running(folder, wanted, {})
            if running is None:
                raise
            return running  # a start that was broken off got there first
        if not wanted.port:
            notes += _moved(door, port_before)
        return Up(door=door, folder=folder, ran_already=False, notes=notes)


def answering(folder: Path, within_s: float) -> Door | None:
    """Return the door of a folder's box once it answers; None where it does not in that time, or ends."""
    until = time.monotonic() + within_s
    while is_held(folder) and time.monotonic() < until:
        door = _answers(folder)
        if door is not None:
            return door
        time.sleep(_POLL_S)
    return None


def _answers(folder: Path) -> Door | None:
    door = read_door(folder)
    if door is None or not is_held(folder):
        return None
    try:
        ask(door, "GET", "/health", within_s=_ASK_S)
    except LowtideError:
        return None
    return door


def _running(folder: Path, wanted: Wanted, given: Mapping[str, Any]) -> Up | None:
    """Return the box that runs, None where it has ended meanwhile: a killed one holds its lock until the kernel has taken it down."""
    door = answering(folder, _ASK_S)
    if door is None and not is_held(folder):
        return None
    changed = wanted.changed(given)
    other = [name for name in given if getattr(changed, name) != getattr(wanted, name)]
    if other:
        was = ", ".join(f"--{name} {_shown(getattr(wanted, name))}" for name in other)
        raise InputError(
            "The box runs already, and otherwise",
            where=str(folder),
            why=f"it was started with {was}",
            fix="lowtide local down --keep, then this again: what is in it stays",
        )
    if door is None:
        owner = holder(folder)
        raise LowtideError(
            "A box runs, but it does not answer",
            where=str(folder),
            why=f"process {owner.pid} holds it" if owner else "its lock is held",
            fix="lowtide local down --keep ends it; its last words: lowtide local logs",
        )
    return Up(door=door, folder=folder, ran_already=True)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={'on' if on else 'off'}" for name, on in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)


def _found(folder: Path) -> tuple[str, ...]:
    """Clean up after a killed box, and say what was found."""
    was_killed = (folder / DOOR_FILE).exists()
    ended = clean(folder)
    notes = [f"Ended what a killed box left running: {', '.join(ended)}."] if ended else []
    if (folder / STATE_FILE).exists():
        why = "The box was killed" if was_killed else "The box was stopped"
        notes.append(f"{why}; it goes on with what was in it.")
    return tuple(notes)


def _moved(door: Door, before: int) -> tuple[str, ...]:
    if not before or door.url.endswith(f":{before}"):
        return ()
    who = listener_on(before) or "by another program"
    return (f"Port {before}, on which it served before, is used {who.strip('()')}; paste anew.",)


def _start(folder: Path) -> Door:
    (folder / FAILURE_FILE).unlink(missing_ok=True)
    file = folder / LOG_FILE
    if file.exists() and file.stat().st_size > _LOG_LIMIT_BYTES:
        file.replace(file.with_suffix(".log.1"))
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # Nothing of AWS's settings here: a box that was pasted into this shell is another one's.
        environment = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
        with _interrupted_afterwards() as noted:
            started = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "lowtide.app.local_box", str(folder)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C and its end are not for the box
            )
    finally:
        os.close(log)
    door = None
    try:
        for one in noted:
            signal.raise_signal(one)
        door = _until_it_answers(folder, started)
    finally:
        if door is None:  # it failed, or somebody pressed Ctrl-C
            started.kill()
            started.wait()
    if door is None:
        raise _not_started(folder, started.returncode)
    return door


@contextmanager
def _interrupted_afterwards() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM instead of acting on them: between a process's start and its pid nobody could end it."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.signal(one, lambda number, _: noted.append(number)) for one in numbers}
    try:
        yield noted
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _until_it_answers(folder: Path, started: subprocess.Popen[bytes]) -> Door | None:
    until = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until and started.poll() is None:
        door = _answers(folder)
        if door is not None and door.pid == started.pid:
            return door
        time.sleep(_POLL_S)
    return None


def _not_started(folder: Path, code: int) -> LowtideError:
    log = folder / LOG_FILE
    try:
        said = json.loads((folder / FAILURE_FILE).read_text(encoding="utf-8"))
        return LowtideError(said["what"], where=said["where"], why=said["why"], fix=said["fix"])
    except (OSError, ValueError, KeyError):
        why = (
            f"it ended with {code}" if code is not None else f"no answer in {_READY_WITHIN_S:.0f} s"
        )
    return LowtideError(
        "The box did not start",
        where=str(log),
        why=why,
        fix="lowtide local logs shows its last words",
    )
