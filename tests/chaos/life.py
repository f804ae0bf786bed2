"""One life of a cluster in a box of its own: made, changed, taken away; each command killed at a point and run again.

Usage: ``python -m tests.chaos.life ORDER_FILE RESULT_FILE``. A life is a process, because a box has moto's state to itself and may be given up
whole when something hangs.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.calls import Call
from tests.chaos.inventory import Inventory
from tests.chaos.points import Point
from tests.chaos.world import STAGES, Stage, World, world

_KILLED = -9


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
