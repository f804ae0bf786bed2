"""``local logs``: what the box and the programs of its clusters wrote.

Why it exists: each program has a file of its own, in a folder that nobody wants to look for.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lowtide.app.local_home import LOG_FILE, background_folder
from lowtide.local.box_folder import CLUSTERS
from lowtide.model.errors import InputError

BOX = "box"
_POLL_S = 0.3
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A program's log. ``cluster`` is REGION.NAME, empty for the box itself."""

    part: str
    cluster: str
    path: Path

    @property
    def label(self) -> str:
        """Its name among all."""
        return f"{self.cluster}/{self.part}" if self.cluster else self.part


def logs(part: str = BOX, *, cluster: str = "") -> list[Log]:
    """Return the logs of a part (``all`` for every one), of one cluster's name or of all.

    Raises:
        InputError: there is none.
    """
    known = list(_known(background_folder()))
    found = [
        one
        for one in known
        if part in {one.part, "all"}
        and (not cluster or cluster in {one.cluster, one.cluster.partition(".")[2]})
    ]
    if not found:
        parts = sorted({one.part for one in known})
        raise InputError(
            f"There is no log of {part}{f' in cluster {cluster}' if cluster else ''}",
            where=str(background_folder()),
            why=f"logs are there of {', '.join(parts)}" if parts else "no box was started yet",
            fix="lowtide local logs all" if parts else "lowtide local up",
        )
    return found


def read(found: Sequence[Log], *, lines: int, follow: bool) -> Iterator[tuple[Log, str]]:
    """Yield the last lines of each log; with ``follow`` then each further line, for ever.

    A log that begins anew is read from its start.
    """
    readers = [_Reader(one) for one in found]
    for reader in readers:
        for line in reader.last(lines, is_followed=follow):
            yield reader.log, line
    while follow:
        for reader in readers:
            for line in reader.fresh():
                yield reader.log, line
        time.sleep(_POLL_S)


class _Reader:
    """Reads a log's end, and then what is appended to it."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._stream: BinaryIO | None = None
        self._rest = b""
        self._open()

    def last(self, count: int, *, is_followed: bool) -> list[str]:
        read = deque(self._stream or (), maxlen=max(count, 1))
        if is_followed and read and not read[-1].endswith(b"\n"):
            self._rest = read.pop()  # its end is still to come
        return [_text(line) for line in read][len(read) - count if count < len(read) else 0 :]

    def fresh(self) -> Iterator[str]:
        if self._was_replaced():
            self._open()
        while self._stream is not None and (read := self._stream.read(_CHUNK)):
            *lines, self._rest = (self._rest + read).split(b"\n")
            yield from (_text(line) for line in lines)

    def _open(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._rest = b""
        try:
            self._stream = self.log.path.open("rb")
        except OSError:
            self._stream = None

    def _was_replaced(self) -> bool:
        try:
            now = self.log.path.stat()
        except OSError:
            return False
        if self._stream is None:
            return True
        before = os.fstat(self._stream.fileno())
        return (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino)


def _known(folder: Path) -> Iterator[Log]:
    if (folder / LOG_FILE).exists():
        yield Log(part=BOX, cluster="", path=folder / LOG_FILE)
    for path in sorted((folder / CLUSTERS).glob("*/logs/*.log")):
        yield Log(part=path.stem, cluster=path.parent.parent.name, path=path)


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\n")
