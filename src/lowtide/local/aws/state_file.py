"""The box's state in one file, so that it survives a restart or a kill.

Why it exists: an Auto Scaling group that forgets its instances leaves nodes that AWS does not know. The file is an
SQLite database: a change is in it whole or not at all, whenever the process dies. It holds the services' states and
timers as they are, and moto's as the calls that made it (``moto_behind``).

States are pickled; what is read back may name nothing but lowtide's classes and plain values, and the file must
belong to this user alone.
"""

from __future__ import annotations

import io
import os
import pickle
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.moto_behind import Entry
from lowtide.model.errors import InputError

#: Raised when what is kept changes its form.
FORM = 1
#: Further classes that states may hold.
_PLAIN = {
    "builtins": {"set", "frozenset", "bytearray", "list", "dict", "tuple", "str", "int", "float", "bool", "bytes"},
    "collections": {"OrderedDict", "defaultdict", "deque", "Counter"},
    "datetime": {"datetime", "date", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "ipaddress": {"IPv4Address", "IPv4Network"},
    "pathlib": {"Path", "PosixPath"},
}  # fmt: skip
_TABLES = """
create table if not exists state (name text primary key, value blob not null);
create table if not exists calls (number integer primary key, value blob not null);
"""


class StateFile:
    """One open state file. Used under the box's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_owner(path)
        try:
            # Created before SQLite opens it, so that it is never readable by others.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
            self._database = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=1.0
            )
            self._database.execute("pragma locking_mode = exclusive")
            # A killed process loses nothing in this mode; only a power cut may.
            self._database.execute("pragma synchronous = off")
            self._database.executescript(f"begin immediate; {_TABLES} commit;")
            self._kept: dict[str, bytes] = dict(
                self._database.execute("select name, value from state")
            )
        except sqlite3.OperationalError as error:
            raise _unusable(path, str(error)) from None
        except sqlite3.DatabaseError as error:
            raise _broken(path, str(error)) from None
        except OSError as error:
            raise _unusable(path, error.strerror or str(error)) from None
        self._calls: list[Entry] = []

    def note_call(self, entry: Entry) -> None:
        """Keep a call of moto's with the next save."""
        self._calls.append(entry)

    def save(self, box: Box) -> None:
        """Write what changed since the last save."""
        now = {name: pickle.dumps(state) for name, state in box.states.items()}
        now["due"] = pickle.dumps(box.due)
        now["form"] = pickle.dumps(FORM)
        changed = [(name, value) for name, value in now.items() if self._kept.get(name) != value]
        calls = [(pickle.dumps(entry),) for entry in self._calls]
        if not changed and not calls:
            return
        self._database.execute("begin immediate")
        self._database.executemany("insert or replace into state values (?, ?)", changed)
        self._database.executemany("insert into calls (value) values (?)", calls)
        self._database.execute("commit")
        self._kept = now
        self._calls.clear()

    def load(self, box: Box) -> None:
        """Put what was kept into a new box, moto's calls excepted.

        Raises:
            InputError: the file cannot be understood.
        """
        kept = {name: self._read(value) for name, value in self._kept.items()}
        if kept.pop("form", FORM) != FORM:
            raise _broken(self.path, "it was written by another version of lowtide")
        box.due[:] = kept.pop("due", [])
        box.states.update({name: state for name, state in kept.items() if name in box.services})

    def calls(self) -> Iterator[Entry]:
        """Return the kept calls of moto's, oldest first."""
        rows = self._database.execute("select value from calls order by number").fetchall()
        return (self._read(value) for (value,) in rows)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _read(self, value: bytes) -> Any:
        try:
            return _Reader(io.BytesIO(value)).load()
        except Exception as error:
            # Whatever a damaged pickle leads to, the file is what is wrong.
            raise _broken(self.path, f"{type(error).__name__}: {error}") from error


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("lowtide.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is nothing that a state holds")


def _check_owner(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "it is no plain file")
    if found.st_uid != os.getuid():
        raise _unusable(path, "it belongs to another user, and what is in it would be trusted")
    if found.st_mode & 0o022:
        raise _unusable(
            path, "others may write to it, and what is in it would be trusted", f"chmod 600 {path}"
        )


def _broken(path: Path, why: str) -> InputError:
    return InputError(
        "The state file cannot be read; it was left as it is",
        where=str(path),
        why=why,
        fix=f"give another file to --state, or move it away: mv {path} {path}.broken",
    )


def _unusable(path: Path, why: str, fix: str = "") -> InputError:
    if "locked" in why:
        why, fix = "another box has it open", "stop that box, or give another file to --state"
    return InputError(
        "The state file cannot be used",
        where=str(path),
        why=why,
        fix=fix or "give another file to --state",
    )
