"""The folder that rendered files are written to.

Why it exists: a folder belongs to its owner. A list of what was written, with a digest of each file, stands beside the files; what
lowtide did not write, or what was edited since, is neither overwritten nor removed.

What it must not know: what the files say.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lowtide.app.whole_file import put
from lowtide.model.errors import InputError, LowtideError

LISTING = ".lowtide-render.json"
LISTING_SCHEMA = "lowtide.render-list/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a rendering did to a folder, as paths below it.

    ``edited`` are files that are no longer made and stay, because somebody edited them.
    """

    folder: str
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    edited: tuple[str, ...]


def write(
    folder: str | Path, files: Mapping[str, str], *, force: bool = False, partial: bool = False
) -> Written:
    """Write files into a folder, and remove those of an earlier rendering that are no longer made.

    Args:
        folder: made where it does not exist.
        files: text by path below it.
        force: overwrites also what somebody else wrote or edited.
        partial: leaves other files of an earlier rendering alone.

    Raises:
        InputError: a file is there that lowtide did not write, or that was edited since; nothing is written then.
        LowtideError: the folder cannot be written to.
    """
    root = folder_of(folder)
    try:
        return _write(root, files, force=force, partial=partial)
    except OSError as error:
        raise LowtideError(
            f"{folder} cannot be written to",
            where=str(error.filename or folder),
            why=error.strerror or str(error),
            fix="choose a folder of your own",
        ) from error


def folder_of(name: str | Path) -> Path:
    """Return the folder of a name; it need not exist.

    Raises:
        InputError: the name is empty, or something else than a folder stands there.
    """
    root = Path(name)
    if str(name) and (os.path.isdir(root) or not os.path.lexists(root)):  # noqa: PTH112 - never raises
        return root
    raise InputError(
        f"{name} is no folder" if str(name) else "The folder has no name",
        where=str(name) or "DIR",
        why="something else stands there" if str(name) else "DIR is empty",
        fix="name a folder; it is made where it does not exist",
    )


def _write(root: Path, files: Mapping[str, str], *, force: bool, partial: bool) -> Written:
    earlier = listed(root)
    changed = [path for path, text in files.items() if _digest_in(root, path) != _digest(text)]
    if not force:
        _refuse_others(root, [path for path in changed if not _is_ours(root, path, earlier)])
    gone = [] if partial else [path for path in earlier if path not in files]
    removed = [path for path in gone if _is_ours(root, path, earlier)]
    for path in changed:
        _put(root, path, files[path])
    for path in removed:
        _remove(root, path)
    kept = {path: digest for path, digest in earlier.items() if partial and path not in files}
    listing = {**kept, **{path: _digest(text) for path, text in files.items()}}
    _put(root, LISTING, _listing_text(listing))
    return Written(
        folder=str(root),
        written=tuple(changed),
        unchanged=tuple(path for path in files if path not in changed),
        removed=tuple(removed),
        edited=tuple(path for path in gone if path not in removed and (root / path).exists()),
    )


def listed(root: Path) -> dict[str, str]:
    """Return the digest of each file that an earlier rendering wrote into a folder, by its path.

    Raises:
        InputError: the list is there, but is none.
    """
    place = root / LISTING
    if not place.is_file():
        return {}
    try:
        document = json.loads(place.read_text("utf-8"))
        files = {str(path): str(digest) for path, digest in document["files"].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(
            "The list of rendered files cannot be read",
            where=str(place),
            why=f"lowtide did not write it so: {type(error).__name__}: {error}",
            fix=f"remove {place}; then --force overwrites the files beside it",
        ) from error
    # The list may come from anywhere: a path that leads out of the folder is not ours to touch.
    return {path: digest for path, digest in files.items() if _is_below(path)}


def _is_below(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def _listing_text(listing: Mapping[str, str]) -> str:
    document = {"schema": LISTING_SCHEMA, "files": dict(sorted(listing.items()))}
    return json.dumps(document, indent=2) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_in(root: Path, path: str) -> str:
    """Return the digest of a file as it is now, empty where there is none."""
    place = root / path
    return hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else ""


def _is_ours(root: Path, path: str, earlier: Mapping[str, str]) -> bool:
    """Whether a path is free, or holds what an earlier rendering wrote there, unedited.

    A path that a link leads out of the folder is not ours.
    """
    place = root / path
    if not place.resolve().is_relative_to(root.resolve()):
        return False
    is_free = not place.exists() and not place.is_symlink()
    return is_free or _digest_in(root, path) == earlier.get(path)


def _refuse_others(root: Path, paths: list[str]) -> None:
    if not paths:
        return
    shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    raise InputError(
        f"Nothing was written: {shown} would be overwritten",
        where=str(root / paths[0]),
        why="lowtide did not write it, or it was edited since",
        fix="render into another folder, or add --force to overwrite",
    )


def _put(root: Path, path: str, text: str) -> None:
    """Write a file; a link in its place is not followed, because it may lead out of the folder."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    put(place, text)


def _remove(root: Path, path: str) -> None:
    """Remove a file, and folders that it leaves empty."""
    place = root / path
    place.unlink(missing_ok=True)
    for parent in place.parents:
        if parent == root or any(parent.iterdir()):
            return
        parent.rmdir()
