"""The cluster file of an ``up`` that was given a name and a node type in place of a file.

Why it exists: the first cluster needs one command, and yet a file is what everything else works on: it is written, and the same command run
again finds it and goes on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lowtide.app.init import Wish, cluster_file
from lowtide.app.whole_file import refuse_unwritable, write_whole
from lowtide.catalog.zones import usual_zones
from lowtide.model.errors import InputError

#: GPU nodes in each zone; the file can be changed afterwards.
MAX_PER_ZONE = 3
_DEFAULT_NAME = "gpu-cluster"
_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """What was said on the command line; empty is what was not."""

    name: str = ""
    region: str = ""
    node_types: tuple[str, ...] = ()

    @property
    def is_said(self) -> bool:
        """Whether a cluster is described there, and not in a file."""
        return bool(self.name or self.node_types)


def written_file(short: Short, file: str) -> bool:
    """Write the cluster file that the command line describes; False where it stands there already.

    Raises:
        InputError: it cannot be made, or another file is in its place.
    """
    text = _text(short, file)
    path = Path(file)
    if path.exists():
        if path.read_text("utf-8", errors="replace") == text:
            return False
        raise InputError(
            f"{file} is there already, and says something else",
            where=file,
            why="--name and --node-type describe a new cluster",
            fix=f"lowtide up -f {file} takes that file; -f another.yaml writes a new one",
        )
    refuse_unwritable(file, option="-f")
    write_whole(file, text, replace=False)
    return True


def _text(short: Short, file: str) -> str:
    region = short.region or os.environ.get("AWS_REGION", "") or _DEFAULT_REGION
    try:
        return cluster_file(
            Wish(
                name=short.name or _DEFAULT_NAME,
                region=region,
                zones=usual_zones(region),
                gpu_types=short.node_types or ("g4dn.xlarge",),
                spot=True,
                max_size=MAX_PER_ZONE,
            ),
            file=file,
        )
    except InputError as error:
        raise _in_words_of_up(error) from error


def _in_words_of_up(error: InputError) -> InputError:
    """Return a refusal of ``init`` in the options that this verb has."""

    def translated(text: str) -> str:
        return text.replace("lowtide init", "lowtide up").replace("--gpu-type", "--node-type")

    return InputError(
        error.what,
        where=translated(error.where),
        why=translated(error.why),
        fix=translated(error.fix),
        findings=error.findings,
    )
