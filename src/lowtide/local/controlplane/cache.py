"""The cache of programs: a folder per Kubernetes version, with a manifest of what is whole.

Why it exists: a build of ten minutes or a download may be cut off at any moment. A program counts only once the
manifest names it with its checksum, and both files and manifest arrive by rename.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lowtide.model.errors import LowtideError

_MANIFEST = "manifest.json"
_WORK = ".work-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One program of the cache. ``origin`` says how it came there."""

    version: str
    sha256: str
    size: int
    mtime_ns: int
    origin: str


def cache_root(environ: Mapping[str, str]) -> Path:
    """Return the folder of all cached programs, by the XDG base directory specification."""
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home(), ".cache")
    return Path(home, "lowtide", "bin")


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Cache:
    """The programs of one Kubernetes version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> dict[str, Entry]:
        """Return what the manifest names; a manifest that cannot be read names nothing."""
        try:
            rows = json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8"))
            return {name: Entry(**row) for name, row in rows.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def find(self, name: str, *, full: bool = False) -> Path | None:
        """Return a program that is as the manifest says, or None.

        Size and time of change are compared; where the time differs, or with ``full``, the checksum decides.
        """
        entry = self.entries().get(name)
        file = self.folder / name
        if entry is None or not file.is_file():
            return None
        stat = file.stat()
        if stat.st_size != entry.size:
            return None
        if (full or stat.st_mtime_ns != entry.mtime_ns) and sha256_of(file) != entry.sha256:
            return None
        return file

    def put(self, name: str, file: Path, *, version: str, origin: str) -> Path:
        """Take a whole program in, by rename: executable, under its name, and named by the manifest.

        ``file`` lies in a folder of ``writing()``.
        """
        file.chmod(0o755)
        stat = file.stat()
        entry = Entry(
            version=version,
            sha256=sha256_of(file),
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            origin=origin,
        )
        place = self.folder / name
        file.replace(place)
        rows = {key: asdict(one) for key, one in {**self.entries(), name: entry}.items()}
        manifest = file.with_name(_MANIFEST)
        manifest.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        manifest.replace(self.folder / _MANIFEST)
        return place

    @contextlib.contextmanager
    def writing(self) -> Iterator[Path]:
        """Keep other writers out, and give a folder for what is not whole yet; it is removed at the end.

        Raises:
            LowtideError: another process is writing, or the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LowtideError(
                "The cache of programs cannot be written",
                where=str(self.folder),
                why=str(error),
                fix="make the folder writable, or set XDG_CACHE_HOME to one that is",
            ) from error
        try:
            self._lock(lock)
            for left in self.folder.glob(f"{_WORK}*"):  # of a writer that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(
                prefix=_WORK, dir=self.folder, ignore_cleanup_errors=True
            ) as work:
                yield Path(work)
        finally:
            os.close(lock)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LowtideError(
                "Another lowtide is filling this cache",
                where=str(self.folder),
                why="its lock is held",
                fix="wait until that one is done, then run this again: what is there is kept",
            ) from error
