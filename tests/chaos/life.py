"""One life of a cluster in a box of its own: made, changed, taken away; each command killed at a point and run again.

Usage: ``python -m tests.chaos.life ORDER_FILE RESULT_FILE``. A life is a process, because a box has moto's state to itself and may be given up
whole when something hangs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.releases import DEFAULT_MINOR
from lowtide.local.serve import Serving
from tests.chaos.calls import Call
from tests.chaos.guests import move_in
from tests.chaos.inventory import Inventory, difference, inventory, objects
from tests.chaos.points import Point
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
_KILLED = -9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended."""

    code: int
    said: str

    @property
    def last(self) -> str:
        """Its last words."""
        return " | ".join(self.said.strip().splitlines()[-4:])


@dataclass(slots=True, kw_only=True)
class Told:
    """What a life came to: per stage the calls of its undisturbed run and what was there at its end, per point what went wrong."""

    calls: dict[str, list[Call]] = field(default_factory=dict)
    held: dict[str, Inventory] = field(default_factory=dict)
    points: dict[str, str] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "calls": {name: [asdict(one) for one in calls] for name, calls in self.calls.items()},
            "held": {name: written(one) for name, one in self.held.items()},
            "points": self.points,
            "orphans": self.orphans,
            "seconds": round(self.seconds, 1),
        }


def written(one: Inventory) -> list[list[Any]]:
    """Return an inventory as JSON values."""
    return [[kind, name, count] for (kind, name), count in sorted(one.items())]


def read(values: list[list[Any]]) -> Inventory:
    """Return what ``written`` wrote."""
    return Counter({(kind, name): count for kind, name, count in values})


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


def undisturbed() -> Told:
    """Live once without a kill, and return the calls and what was there after each stage."""
    told = Told()
    with world() as here:
        told.held["before"] = here.held()
        for stage in STAGES:
            stage.prepare(here)
            record = here.folder / f"{stage.name}.jsonl"
            ran = here.run(stage.command, {}, record)
            if ran.code:
                raise SystemExit(f"{stage.name} failed without being disturbed:\n{ran.said}")
            lines = record.read_text("utf-8").splitlines()
            told.calls[stage.name] = [Call(**json.loads(one)) for one in lines]
            told.held[stage.name] = here.held()
        left = here.settled(told.held["before"])
        if left:
            raise SystemExit(f"a whole life leaves something behind:\n{'; '.join(left)}")
        told.held[STAGES[-1].name] = told.held["before"]
    return told


def disturbed(points: Mapping[str, Point], held: Mapping[str, Inventory]) -> Told:
    """Live once with at most one kill in each stage, and return what became of each point.

    A stage that does not come to what it is without a kill ends the life; the points behind it are left out of the answer.
    """
    told = Told()
    with world() as here:
        for stage in STAGES:
            stage.prepare(here)
            point = points.get(stage.name)
            problem = _missed(here, stage, point) if point else ""
            ran = here.run(stage.command, {}, here.folder / "again.jsonl")
            if ran.code:
                problem = problem or f"the next run ended with {ran.code}: {ran.last}"
            elif found := here.settled(held[stage.name]):
                told.orphans += [one for one in found if one.startswith("+")]
                problem = problem or f"not as without a kill: {'; '.join(found)}"
            if point:
                told.points[point.name] = problem
            if problem:
                break
    return told


def _missed(here: World, stage: Stage, point: Point) -> str:
    ran = here.run(stage.command, {"kill": point.document()}, here.folder / "killed.jsonl")
    if ran.code == _KILLED:
        return ""
    return f"it was never reached; the run ended with {ran.code}: {ran.last}"


def main() -> int:
    """Do what the module's docstring says."""
    order = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    began_s = time.monotonic()
    if "points" in order:
        points = {one["stage"]: Point.of(one) for one in order["points"]}
        told = disturbed(points, {name: read(one) for name, one in order["held"].items()})
    else:
        told = undisturbed()
    told.seconds = time.monotonic() - began_s
    Path(sys.argv[2]).write_text(json.dumps(told.document()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
