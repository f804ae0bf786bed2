"""Files that are written as a whole or not at all.

Why it exists: a run takes a while, so the place of its result is looked at before it; and what stands there is worth more than
half of something new, so it is replaced in one step when the new text is complete.

What it must not know: what is written.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import tempfile
from pathlib import Path

from lowtide.model.errors import InputError, LowtideError

ELSEWHERE = "name a file in a folder that exists and is yours"


def refuse_unwritable(path: str, *, option: str) -> None:
    """Say before the work that its result has nowhere to go.

    Args:
        path: where the result shall stand.
        option: the option that named it.

    Raises:
        InputError: there is no such folder, nobody may write in it, or something else than a file stands there.
    """
    try:
        why, fix = _obstacle(path)
    except OSError as error:
        why, fix = error.strerror or str(error), ELSEWHERE
    if why:
        raise InputError(
            f"{path or 'A file without a name'} cannot be written", where=option, why=why, fix=fix
        )


def _obstacle(path: str) -> tuple[str, str]:
    """Return what is in the way and what helps; both are empty where nothing is."""
    if not path:
        return "the name is empty", ELSEWHERE
    try:
        folder = _place(path).parent
    except FileNotFoundError:
        return "the current folder does not exist any more", "cd to a folder that exists"
    if not folder.is_dir():
        return f"there is no folder {folder}", shlex.join(["mkdir", "-p", str(folder)])
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        return "it is a folder", "name a file in it"
    if not stat.S_ISREG(mode):
        return "it is no regular file", ELSEWHERE
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is not yours to write in", ELSEWHERE
    return "", ""


def write_whole(path: str, text: str, *, replace: bool = True) -> None:
    """Write a file, through links, so that it holds all of the text or what it held before.

    Args:
        path: where it shall stand.
        text: written as UTF-8.
        replace: False leaves a file that is there as it is.

    Raises:
        FileExistsError: it is there, and ``replace`` is False.
        LowtideError: it cannot be written.
    """
    try:
        if replace:
            put(_place(path), text)
        else:
            _create(Path(path), text)
    except FileExistsError:
        raise
    except OSError as error:
        raise LowtideError(
            f"{path} cannot be written",
            where=path,
            why=error.strerror or str(error),
            fix=ELSEWHERE,
        ) from error


def _place(path: str) -> Path:
    """Return where a path leads to in the end; what it names need not exist.

    Raises:
        FileNotFoundError: the path is relative, and the current folder was removed.
    """
    return Path(os.path.realpath(path))


def _create(place: Path, text: str) -> None:
    with place.open("x", encoding="utf-8") as stream:
        try:
            stream.write(text)
            stream.flush()
        except BaseException:
            place.unlink(missing_ok=True)
            raise


def put(place: Path, text: str) -> None:
    """Write a file in one step, with the permissions of the one that stood there; a link is replaced, not followed.

    Raises:
        OSError: it cannot be written; what stood there still does. Devices and pipes are never replaced, which root could do.
    """
    written: Path | None = None
    if place.exists() and not (place.is_file() or place.is_symlink()):
        raise OSError(errno.EINVAL, "it is no regular file", str(place))
    try:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".lowtide-")
        written = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        written.chmod(_mode(place))
        written.replace(place)
    except OSError as error:
        error.filename = str(place)  # nobody knows the unfinished file by its name
        raise
    finally:
        if written is not None:
            written.unlink(missing_ok=True)


def _mode(place: Path) -> int:
    """Return the permissions of the file that is replaced, or those of any new one."""
    if place.is_file() and not place.is_symlink():
        return stat.S_IMODE(place.stat().st_mode)
    mask = os.umask(0o077)  # it can be read only by setting it
    os.umask(mask)
    return 0o666 & ~mask
