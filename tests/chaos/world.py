"""A box with real control planes, the parts of a cluster's life in it, and the commands of lowtide that are run there.

Why it exists: kills and faults happen in the same world, so that what they come to can be compared with the same undisturbed life.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.local.aws import faults
from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.releases import DEFAULT_MINOR
from lowtide.local.serve import Serving
from tests.chaos.guests import move_in
from tests.chaos.inventory import Inventory, difference, inventory, objects
from tests.conftest import ROOT

REGION = "us-east-1"
NAME = "chaos"
_FILE = Path(__file__).parent / "cluster.yaml"
#: The box's clock runs that much faster than ours, so that what AWS gives up after two hours is given up after minutes: a real control
#: plane starts no faster than this machine allows. What the box itself takes time for is shortened once more.
_SPEED = 40.0
_SHORTENED = 25.0
#: Nothing that lowtide does here takes so long; what does, hangs.
_LONGEST_S = 240
#: What AWS begins goes on behind the command, for example instances that end.
_SETTLES_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended."""

    code: int
    said: str

    @property
    def last(self) -> str:
        """Its last words."""
        return " | ".join(self.said.strip().splitlines()[-4:])


class World:
    """A box, a folder with a cluster's file, and the commands that are run there."""

    def __init__(self, folder: Path, served: Serving) -> None:
        self.folder = folder
        self.served = served
        self.account = Account(REGION)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **served.environment(),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "KUBECONFIG": str(folder / "kubeconfig"),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
        }

    def run(self, command: tuple[str, ...], order: Mapping[str, Any], record: Path) -> Ran:
        """Run a command line of lowtide, watched."""
        text = json.dumps({"record": str(record), **order})
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.watched", text, *command],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            said, _ = started.communicate(timeout=_LONGEST_S)
        except subprocess.TimeoutExpired:
            started.kill()
            said, _ = started.communicate()
            said += f"\nnot over after {_LONGEST_S} s"
        return Ran(code=started.returncode, said=said)

    def fault(self, fields: Mapping[str, Any]) -> None:
        """Let something go wrong."""
        faults.add(self.served.box, fields)

    def failing_resources(self) -> set[str]:
        """Return the resources that have still to fail."""
        return {one.resource for one in faults.listed(self.served.box)}

    def forget_faults(self) -> None:
        """Let nothing go wrong any more."""
        faults.remove(self.served.box)

    def kubeconfig(self) -> Path | None:
        """Return the cluster's administrator's, None where there is no cluster."""
        return self.served._kubeconfig((REGION, NAME))

    def held(self) -> Inventory:
        """Return everything that account and cluster hold."""
        found = inventory(self.account)
        kubeconfig = self.kubeconfig()
        if kubeconfig is not None:
            found.update(objects(kubeconfig))
        return found

    def settled(self, wanted: Inventory) -> tuple[str, ...]:
        """Return how the world differs from what is wanted, once that does not change for the better any more."""
        ends = time.monotonic() + _SETTLES_S
        while (found := difference(wanted, self.held())) and time.monotonic() < ends:
            time.sleep(0.5)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a life: what is done to the world before, and lowtide's command."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[World], None]


def _write_file(here: World) -> None:
    (here.folder / "cluster.yaml").write_text(_FILE.read_text("utf-8"), "utf-8")


def _edit_file(here: World) -> None:
    """Change a group's bound, and take the last group out of the file."""
    text = (here.folder / "cluster.yaml").read_text("utf-8")
    kept, marked, _ = text.partition("  # gone after the change\n")
    assert marked
    (here.folder / "cluster.yaml").write_text(kept.replace("maxSize: 4", "maxSize: 5"), "utf-8")


def _move_in(here: World) -> None:
    kubeconfig = here.kubeconfig()
    assert kubeconfig is not None
    move_in(here.account, NAME, kubeconfig)


_DOWN = ("down", "--yes", "--sweep", "--delete-volumes", "--confirm-name", NAME)
STAGES = (
    Stage(name="create", command=("up", "--yes"), prepare=_write_file),
    Stage(name="change", command=("up", "--yes"), prepare=_edit_file),
    Stage(name="down", command=(*_DOWN, "--drain-timeout", "0.05"), prepare=_move_in),
)


def _delays() -> Delays:
    usual = asdict(Delays())
    return Delays(**{name: seconds / _SHORTENED for name, seconds in usual.items()})


@contextmanager
def world() -> Iterator[World]:
    """Open a box with real control planes."""
    programs = find_binaries(DEFAULT_MINOR).etcd.parent
    with tempfile.TemporaryDirectory(prefix="lowtide-chaos-") as made:
        folder = Path(made)
        settings = Settings(
            folder=folder / "box", speed=_SPEED, delays=_delays(), binaries=programs
        )
        with Serving(settings, planes="real") as served:
            for name in [one for one in os.environ if one.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update(served.environment())
            yield World(folder, served)
