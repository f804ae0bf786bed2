"""Looks at what stands behind a path before it is read, so that no device is read for ever and no error of the system escapes.

Why it exists: manifests, policies, scenarios and traces come from paths that people type, and every trouble with a path is
theirs to hear of in the same words.

What it must not know: what is in the files.
"""

from __future__ import annotations

import stat
from pathlib import Path


class UnusableFileError(Exception):
    """A path that cannot be read: why, and what to do."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why)
        self.fix = fix


def refuse_irregular(path: str | Path, *, pipes: bool = False) -> None:
    """Let regular files pass; pipes too where asked, for a shell's ``<(command)``.

    Raises:
        UnusableFileError: there is no such file, it may not be looked at, or it is something else.
    """
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        raise UnusableFileError("it is a directory", "give the file inside it")
    if stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode)):
        return
    kind = "pipe" if stat.S_ISFIFO(mode) else "device or socket"
    raise UnusableFileError(f"it is a {kind}, no regular file", "write it to a file first")


def is_directory(path: str | Path) -> bool:
    """Return whether the path is a directory; ``-`` and names of no file are none.

    Raises:
        UnusableFileError: the system refuses to say.
    """
    try:
        return stat.S_ISDIR(_mode(path))
    except UnusableFileError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return False
        raise


def unusable(error: Exception) -> UnusableFileError:
    """Return what an error of the system means to the person who named the file."""
    why = getattr(error, "strerror", None) or str(error)
    fix = "check the name and the current directory, or that you may read it"
    return UnusableFileError(why, fix)


def _mode(path: str | Path) -> int:
    if not str(path):
        raise UnusableFileError("the name is empty", "name a file")
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unusable(error) from error
