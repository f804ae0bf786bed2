"""Every fault of the box at every call of ``up`` and ``down``: which there are, which are left to do, what became of them.

Why it exists: it is to faults what ``kills`` is to kills.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from tests.chaos.kills import lived
from tests.chaos.progress import Progress
from tests.chaos.walks import NEVER_REACHED, places_in

#: A walk has as many runs as places.
_LONGEST_S = 5400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault at a place of a stage: a call, a resource of CloudFormation, or a type of instance."""

    kind: str
    stage: str
    place: str

    @property
    def name(self) -> str:
        """One line that tells it from all others."""
        return f"{self.stage}: {self.kind} at {self.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a fault: ``problem`` is empty where it was waited out, or told with the right exit code, and nothing was lost."""

    fault: Fault
    problem: str
    orphans: tuple[str, ...] = ()


def faults_in(life: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Return every fault that can be met in a life."""
    return tuple(
        Fault(kind=kind, stage=stage, place=place)
        for kind, stages in places_in(life).items()
        for stage, places in stages.items()
        for place in places
    )


def meet(
    faults: Sequence[Fault], held: Mapping[str, Any], progress: Progress, *, at_once: int
) -> Iterator[Outcome]:
    """Meet each fault that is not known to end well, and yield what became of it."""
    walks: dict[tuple[str, str], list[Fault]] = {}
    for one in faults:
        if progress.get(one.name) != "":
            walks.setdefault((one.stage, one.kind), []).append(one)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        running = [pool.submit(_walk, one, held) for one in walks.values()]
        try:
            for ended in as_completed(running):
                for outcome in ended.result():
                    progress.note(outcome.fault.name, outcome.problem)
                    yield outcome
        finally:
            pool.shutdown(cancel_futures=True)


def _walk(faults: Sequence[Fault], held: Mapping[str, Any]) -> tuple[Outcome, ...]:
    """Live the life of faults of one kind and stage; while one fault hides others, another life is lived for those."""
    found: dict[Fault, Outcome] = {}
    left: Sequence[Fault] = faults
    while left:
        found |= {one.fault: one for one in _one_walk(left, held)}
        hidden = [one for one in left if found[one].problem.startswith(NEVER_REACHED)]
        left = hidden if len(hidden) < len(left) else ()
    return tuple(found.values())


def _one_walk(faults: Sequence[Fault], held: Mapping[str, Any]) -> tuple[Outcome, ...]:
    stage, kind = faults[0].stage, faults[0].kind
    order = {"kind": kind, "places": {stage: [one.place for one in faults]}, "held": held}
    try:
        told = lived(order, "tests.chaos.walks", _LONGEST_S)
    except RuntimeError as error:
        return tuple(Outcome(fault=one, problem=str(error)) for one in faults)
    problems = told["problems"].get(stage, {})
    return tuple(
        Outcome(
            fault=one,
            problem=problems.get(one.place, "the life did not come to it"),
            orphans=tuple(told["orphans"]),
        )
        for one in faults
    )
