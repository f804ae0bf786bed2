"""What was done already for these sources: one line of JSON for each thing that was proved, so that hours of work can be broken off.

Why it exists: a point is proved for one version of the code alone, so the file's name is a digest of the sources.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

_FOLDER = ROOT / "build" / "chaos"
#: What decides how a run goes.
_SOURCES = ("src", "tests/chaos", "pyproject.toml")


def commit() -> str:
    """Return the commit of the working tree, and a digest of what differs from it, if anything does."""
    head = _git("rev-parse", "HEAD").strip()
    changed = _git("diff", "HEAD", "--", *_SOURCES)
    new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", *_SOURCES)
    if not changed and not new:
        return head
    digest = hashlib.sha256(changed.encode())
    for one in sorted(filter(None, new.split("\0"))):
        digest.update(one.encode() + (ROOT / one).read_bytes())
    return f"{head}-{digest.hexdigest()[:12]}"


def _git(*arguments: str) -> str:
    ran = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, errors="replace"
    )
    return ran.stdout


class Progress:
    """A file of lines, each a key and a value; the last line of a key counts."""

    def __init__(self, of: str, folder: Path = _FOLDER) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{of}.jsonl"
        self._known: dict[str, Any] = dict(self._lines())

    def get(self, key: str) -> Any:
        """Return what was noted under a key, None where nothing was."""
        return self._known.get(key)

    def note(self, key: str, value: Any) -> None:
        """Note a value, on the disk before it returns."""
        self._known[key] = value
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, value]) + "\n")

    def _lines(self) -> Iterator[tuple[str, Any]]:
        if not self.path.exists():
            return
        for line in self.path.read_text("utf-8").splitlines():
            try:
                key, value = json.loads(line)
            except ValueError:
                continue  # the machine went down while it was written
            yield key, value
