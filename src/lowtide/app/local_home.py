"""Where boxes live on this machine, and how a box is wanted.

Why it exists: every verb of ``lowtide local`` finds the same box, also after it was stopped or killed.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lowtide.model.errors import InputError

if TYPE_CHECKING:
    from lowtide.local.aws.settings import Settings

#: What the extra ``local`` brings, by the name under which it is imported.
EXTRA = ("cfnlint", "cryptography", "jsonschema", "moto", "starlette", "uvicorn")
#: Why the latest start in the background failed, as the fields of an error.
FAILURE_FILE = "failure.json"
#: Of the box in the background, in its folder.
STATE_FILE, LOG_FILE, WANTED_FILE, PORT_FILE = "aws.state", "box.log", "wanted.json", "port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a box is wanted. Port 0 is a free one; ``state_file`` None keeps state in memory."""

    port: int = 0
    state_file: Path | None = None
    speed: float = 10.0
    region: str = "us-east-1"
    admission: Mapping[str, bool] = field(default_factory=dict)
    binaries: Path | None = None
    autoscaler: Path | None = None
    keep: bool = False

    def settings(self, folder: Path) -> Settings:
        """Return the settings of a box in a folder."""
        from lowtide.local.aws.settings import Settings  # noqa: PLC0415 - only who serves needs it

        return Settings(
            folder=folder,
            state_file=self.state_file,
            speed=self.speed,
            region=self.region,
            admission=self.admission,
            binaries=self.binaries,
            autoscaler=self.autoscaler,
        )

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Return it with what was given; None is not given.

        Raises:
            InputError: a path is not there.
        """
        said = {name: value for name, value in given.items() if value is not None}
        for name in ("binaries", "autoscaler"):
            if name in said:
                said[name] = _existing(name, said[name])
        return replace(self, **said)

    def text(self) -> str:
        """Return it as JSON, as ``read_wanted`` reads it."""
        return json.dumps(asdict(self), default=str)


def read_wanted(folder: Path) -> Wanted | None:
    """Return how a folder's box was wanted last, or None where that is not known."""
    try:
        said = json.loads((folder / WANTED_FILE).read_text(encoding="utf-8"))
        paths = {
            name: Path(said[name])
            for name in ("state_file", "binaries", "autoscaler")
            if said[name] is not None
        }
        return Wanted(**{**said, **paths})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def last_port(folder: Path) -> int:
    """Return the port on which a folder's box served last; 0 where none is known."""
    try:
        return int((folder / PORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def home() -> Path:
    """Return the folder of all boxes of this user (XDG base directories: $XDG_STATE_HOME)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "lowtide" / "local"


def background_folder() -> Path:
    """Return the folder of the box that ``lowtide local up`` starts."""
    return home() / "box"


def check_extra() -> None:
    """See that what a box needs is installed.

    Raises:
        InputError: the extra is not.
    """
    for name in EXTRA:
        if importlib.util.find_spec(name) is None:
            raise InputError(
                "The embedded AWS needs the extra `local`",
                where="lowtide local",
                why=f"{name} is not installed",
                fix="scripts/setup report,local in a checkout of lowtide, pip install 'lowtide[local]' elsewhere",
            )


def _existing(option: str, path: Path) -> Path:
    found = path.expanduser().resolve()
    fits = found.is_dir() if option == "binaries" else os.access(found, os.X_OK) and found.is_file()
    if not fits:
        raise InputError(
            f"{path} is no {'folder' if option == 'binaries' else 'program'}",
            where=f"--{option}",
            why="it is not there" if not found.exists() else "it is something else",
            fix="name the folder with etcd, kube-apiserver and the others"
            if option == "binaries"
            else "leave it out: lowtide's own engine scales then",
        )
    return found
