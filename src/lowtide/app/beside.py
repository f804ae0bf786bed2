"""Tells cluster files from others, for hints that name files which exist and can be used.

It must not know what is in them: ``load`` reads them.
"""

from __future__ import annotations

import re
from pathlib import Path

from lowtide.model.errors import InputError

_KIND = re.compile(rb"^kind:\s*[\"']?ClusterConfig\b", re.MULTILINE)
#: The kind stands at the top of every file that a person wrote.
_LOOKED_AT_BYTES = 64 * 1024


def is_cluster_file(path: str | Path) -> bool:
    """Return whether a file says that it is a ClusterConfig; False where it cannot be read."""
    try:
        if not Path(path).is_file():  # a pipe would be emptied by a look
            return False
        with Path(path).open("rb") as opened:
            return _KIND.search(opened.read(_LOOKED_AT_BYTES)) is not None
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False


def other_cluster_file(path: str) -> str | None:
    """Return the first other file in the folder of one that reads as a ClusterConfig, None where there is none."""
    one = Path(path)
    try:
        beside = sorted([*one.parent.glob("*.yaml"), *one.parent.glob("*.yml")])
    except OSError:
        return None
    others = (file for file in beside if file.name != one.name and is_cluster_file(file))
    return next((str(file) for file in others if _reads(file)), None)


def _reads(file: Path) -> bool:
    """Return whether a cluster file has no error of its own; whether it resolves is another question."""
    from lowtide.spec.cluster_documents import load_documents  # noqa: PLC0415 - the same
    from lowtide.spec.clusterfile import cluster_of  # noqa: PLC0415 - not for a hint without files

    try:
        cluster_of(load_documents(str(file)).cluster)
    except InputError:
        return False
    return True
