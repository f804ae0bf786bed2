"""Kills ``up`` and ``down`` at every point, and says what became of each.

Why it exists: this is the order of it: what the points are, which are left to do, which lives are lived for them, what is noted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.calls import Call
from tests.chaos.points import Point, lives, points_of
from tests.chaos.progress import Progress
from tests.conftest import ROOT

_LONGEST_S = 1500
#: A life that the machine and not lowtide broke is lived again.
_TRIES = 2
_UNDISTURBED = "an undisturbed life"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a point: ``problem`` is empty where the next run came to the same as a run without a kill."""

    point: Point
    problem: str
    seconds: float
    orphans: tuple[str, ...] = ()


def lived(
    order: Mapping[str, Any], module: str = "tests.chaos.life", longest_s: float = _LONGEST_S
) -> dict[str, Any]:
    """Live a life in a process of its own, and return what it told.

    Raises:
        RuntimeError: it came to no end.
    """
    with tempfile.TemporaryDirectory(prefix="lowtide-chaos-order-") as made:
        asked, told = Path(made) / "order.json", Path(made) / "told.json"
        asked.write_text(json.dumps(order), "utf-8")
        command = [sys.executable, "-m", module, str(asked), str(told)]
        try:
            ran = subprocess.run(
                command,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=longest_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"a life was not over after {longest_s} s") from None
        if ran.returncode or not told.exists():
            raise RuntimeError(f"a life ended with {ran.returncode}: {ran.stderr[-2000:]}")
        found: dict[str, Any] = json.loads(told.read_text("utf-8"))
        return found


def undisturbed(progress: Progress) -> dict[str, Any]:
    """Return what a life without a kill is like, from the notes where it is known."""
    known: dict[str, Any] | None = progress.get(_UNDISTURBED)
    if known is None:
        known = lived({})
        progress.note(_UNDISTURBED, known)
    return known


def points_in(life: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return all points of a life."""
    return tuple(
        point
        for stage, calls in life["calls"].items()
        for point in points_of(stage, (Call(**one) for one in calls))
    )


def kill_at(
    points: Sequence[Point], held: Mapping[str, Any], progress: Progress, *, at_once: int
) -> Iterator[Outcome]:
    """Kill at each point that is not proved yet, in so many lives at once, and yield what became of it."""
    left = [one for one in points if progress.get(one.name) != ""]
    for _ in range(_TRIES):
        known = {one.name: one for one in left}
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            running = [pool.submit(_live, one, held) for one in lives(left)]
            try:
                for ended in as_completed(running):
                    for outcome in ended.result():
                        progress.note(outcome.point.name, outcome.problem)
                        known.pop(outcome.point.name)
                        yield outcome
            finally:
                pool.shutdown(cancel_futures=True)
        left = list(known.values())  # of lives that ended before them
    for one in left:
        yield Outcome(point=one, problem="no life came to it", seconds=0)


def _live(points: Sequence[Point], held: Mapping[str, Any]) -> tuple[Outcome, ...]:
    """Live a life; points of stages that it did not come to are left out."""
    try:
        told = lived({"points": [one.document() for one in points], "held": held})
    except RuntimeError as error:
        return (Outcome(point=points[0], problem=str(error), seconds=0),)
    return tuple(
        Outcome(
            point=one,
            problem=told["points"][one.name],
            seconds=told["seconds"],
            orphans=tuple(told["orphans"]) if told["points"][one.name] else (),
        )
        for one in points
        if one.name in told["points"]
    )
