"""Compares a run of the twin with the recorded runs of the real autoscaler.

Compared are the desired nodes of each group just before every ``at_s``, every ``delete_at_s`` and at ``until_s``. Groups that
differ only in name and zone are interchangeable: their sizes are sorted. Equal means equal to any of the recorded runs.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance import adapter

Json = Mapping[str, Any]
Sizes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario compared; ``differences`` is empty when it is equal to a recorded run."""

    name: str
    differences: tuple[str, ...]
    explained: str = ""

    @property
    def word(self) -> str:
        """``equal``, ``explained`` or ``different``."""
        if not self.differences:
            return "equal"
        return "explained" if self.explained else "different"


# A scenario that differs for a known reason, with the evidence. None so far.
EXPLAINED: Mapping[str, str] = {}


def names(folder: Path, numbers: Sequence[str]) -> list[str]:
    """Return the scenarios of these numbers; ``05`` means 05, 05b, 05c and so on."""
    found = []
    for path in sorted((folder / "scenarios").glob("*.json")):
        number = path.stem.split("-")[0]
        if any(
            number == one or number.rstrip("abcdefghijklmnopqrstuvwxyz") == one for one in numbers
        ):
            found.append(path.stem)
    return found


def compare(folder: Path, name: str) -> Outcome:
    """Run one scenario on the twin and compare it with every recorded run."""
    scenario = json.loads((folder / "scenarios" / f"{name}.json").read_text())
    with gzip.open(folder / "recordings" / f"{name}.json.gz") as file:
        recording = json.load(file)
    times = moments(scenario)
    alike = interchangeable(scenario["groups"])
    run = adapter.run(scenario)
    ours = {time: _sizes(run.desired_before(time * 1000), alike) for time in times}
    best: tuple[str, ...] | None = None
    for recorded in recording["runs"]:
        theirs = {time: _sizes(_before(recorded["timeline"], time), alike) for time in times}
        differences = tuple(
            f"before {time} s: twin {ours[time]}, recorded {theirs[time]}"
            for time in times
            if ours[time] != theirs[time]
        )
        if best is None or len(differences) < len(best):
            best = differences
    return Outcome(name, best or (), EXPLAINED.get(name, ""))


def moments(scenario: Json) -> list[int]:
    """Return the seconds at which the outside acts, and the end."""
    times = {scenario["until_s"]}
    for one in (*scenario["workloads"], *(scenario.get("external") or ()), *scenario["interrupts"]):
        times |= {one[key] for key in ("at_s", "delete_at_s") if one.get(key) is not None}
    return sorted(times)


def interchangeable(groups: Iterable[Json]) -> list[list[str]]:
    """Return group names in classes: alike but for name and zone."""
    classes: dict[str, list[str]] = {}
    for group in groups:
        rest = {key: value for key, value in group.items() if key not in {"name", "zone"}}
        classes.setdefault(json.dumps(rest, sort_keys=True), []).append(group["name"])
    return list(classes.values())


def _sizes(desired: Mapping[str, int], alike: list[list[str]]) -> Sizes:
    return tuple(tuple(sorted(desired.get(name, 0) for name in names)) for names in alike)


def _before(timeline: Sequence[Json], time: int) -> dict[str, int]:
    rows = [row for row in timeline if row["t"] < time]
    return {name: group["desired"] for name, group in rows[-1]["groups"].items()}
