"""One life of a cluster in which one kind of fault is met at one call after the other: each run goes on where the last one was stopped.

Usage: ``python -m tests.chaos.walks ORDER_FILE RESULT_FILE``. A fault that is waited out is met at every call of one run. One that ends the run
is met at the first call that has not met it, so there are as many runs as calls; the last one meets none and has to come to the same as
an undisturbed life.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.inventory import Inventory
from tests.chaos.life import read
from tests.chaos.watched import LOST_ANSWER
from tests.chaos.world import STAGES, Ran, Stage, World, world

#: Kind -> the fault as the box takes it, the exit codes that are right, and words of which the error has one. 4: AWS said no.
CALL_FAULTS: Mapping[str, tuple[dict[str, Any], frozenset[int], str]] = {
    "throttling": ({"kind": "throttling", "times": 2}, frozenset({0}), ""),
    "lost connection": ({"kind": "drop-connection", "times": 1}, frozenset({0}), ""),
    "lost answer of Kubernetes": ({"kind": LOST_ANSWER}, frozenset({0}), ""),
    "access denied": (
        {"kind": "access-denied", "times": 1},
        frozenset({0, 4}),
        r"{operation}|could not be",
    ),
    "expired credentials": (
        {"kind": "expired-token", "times": 1},
        frozenset({0, 4}),
        r"expired",
    ),
    "clock skew": (
        {"kind": "clock-skew", "seconds": 3600, "times": 1},
        frozenset({0, 4}),
        r"clock",
    ),
}
#: How a problem begins that is of the walk: another fault ended what would have come to it.
NEVER_REACHED = "never reached"
#: A resource that CloudFormation cannot make; its name is one of a template.
STACK_FAILURE = "stack failure"
#: EC2 has no instance of the type that the cluster starts with.
NO_CAPACITY = "no capacity"
_FIRST_TYPE = "m5.large"
#: So long a run waits for capacity that does not come, in minutes.
_PATIENCE_MIN = "0.4"


@dataclass(slots=True, kw_only=True)
class Told:
    """What became of each fault, by stage and place: empty where it was waited out or told, and nothing was lost."""

    problems: dict[str, dict[str, str]] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    runs: int = 0
    seconds: float = 0.0


def walk(kind: str, places: Mapping[str, Sequence[str]], held: Mapping[str, Inventory]) -> Told:
    """Live once with faults of a kind at the given places of each stage."""
    told = Told()
    last = max(
        (number for number, stage in enumerate(STAGES) if places.get(stage.name)), default=-1
    )
    with world() as here:
        for stage in STAGES[: last + 1]:
            stage.prepare(here)
            at = places.get(stage.name, ())
            problems = dict.fromkeys(at, "")
            told.problems[stage.name] = problems
            if kind == STACK_FAILURE:
                _fail_resources(here, stage, problems, told)
            elif kind == NO_CAPACITY:
                _take_capacity(here, stage, problems, told)
            else:
                _fault_calls(here, stage, kind, problems, told)
            wrong = _not_whole(here, stage, held[stage.name], told)
            if wrong:
                problems.update({one: problems[one] or wrong for one in at})
                break
    return told


def _not_whole(here: World, stage: Stage, wanted: Inventory, told: Told) -> str:
    """Run undisturbed, and return what differs then from a life without faults."""
    ran = _run(here, stage, {}, told)
    if ran.code:
        return f"the run after the faults ended with {ran.code}: {ran.last}"
    found = here.settled(wanted)
    told.orphans += [one for one in found if one.startswith("+")]
    return f"not as without faults: {'; '.join(found)}" if found else ""


def _run(here: World, stage: Stage, order: Mapping[str, Any], told: Told, *more: str) -> Ran:
    told.runs += 1
    return here.run((*stage.command, *more), order, here.folder / "calls.jsonl")


def _fault_calls(
    here: World, stage: Stage, kind: str, problems: dict[str, str], told: Told
) -> None:
    fault, codes, words = CALL_FAULTS[kind]
    left, met_file = set(problems), here.folder / "met"
    while left:
        met_file.unlink(missing_ok=True)
        order = {
            "fault": fault,
            "at": sorted(left),
            "door": here.served.door.url,
            "token": here.served.door.token,
            "met": str(met_file),
        }
        ran = _run(here, stage, {"faults": order}, told)
        here.forget_faults()
        met = met_file.read_text("utf-8").splitlines() if met_file.exists() else []
        if not met:
            problems.update(dict.fromkeys(left, f"{NEVER_REACHED}; {ran.code}: {ran.last}"))
            return
        problems[met[-1]] = judged(ran, codes, words, *met)
        left -= set(met)


def judged(ran: Ran, codes: frozenset[int], words: str, *calls: str) -> str:
    """Return what is wrong with the end of a run that met a fault at some calls, empty where nothing is.

    It ends at one of them, and gives its lease back after that.
    """
    if "Traceback" in ran.said:
        return f"a traceback: {ran.last}"
    if ran.code not in codes:
        return f"exit code {ran.code}: {ran.last}"
    kinds = (one.partition(" ")[0] for one in calls)
    operation = "|".join(re.escape(one.partition(":")[2]) for one in kinds)
    if ran.code and not re.search(words.format(operation=operation), ran.said):
        return f"the error does not say it: {ran.last}"
    return ""


def _fail_resources(here: World, stage: Stage, problems: dict[str, str], told: Told) -> None:
    """Let CloudFormation fail at every resource once: each run goes as far as the first of each stack that has not failed yet."""
    for one in problems:
        here.fault({"kind": "fail-resource", "resource": one, "times": 1})
    left = set(problems)
    while left:
        ran = _run(here, stage, {}, told)
        met = left - here.failing_resources()
        if not met:
            problems.update(dict.fromkeys(left, f"{NEVER_REACHED}; {ran.code}: {ran.last}"))
            break
        wrong = judged(ran, frozenset({4}), rf"why: +({'|'.join(sorted(met))}) ")
        problems.update(dict.fromkeys(met, wrong))
        left -= met
    here.forget_faults()


def _take_capacity(here: World, stage: Stage, problems: dict[str, str], told: Told) -> None:
    """Let EC2 have no instance: either lowtide's time is over first, or CloudFormation gives the group up. Both say why."""
    for one in problems:
        here.fault({"kind": "capacity", "instance_type": one})
        ran = _run(here, stage, {}, told, "--timeout", _PATIENCE_MIN)
        here.forget_faults()
        problems[one] = judged(ran, frozenset({1, 4}), "InsufficientInstanceCapacity|capacity")


def places_in(life: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Return where each kind of fault can be met in a life: by kind and stage, in the order of the calls."""
    found: dict[str, dict[str, list[str]]] = {}
    for stage, calls in life["calls"].items():
        named: dict[str, None] = {}
        inside: dict[str, None] = {}
        for call in calls:
            names = named if call["channel"] == "aws" else inside
            key = f"{call['kind']} {call['target']}".strip() if call["changes"] else call["kind"]
            names[key] = None
        for kind in CALL_FAULTS:
            is_inside = kind == "lost answer of Kubernetes"
            found.setdefault(kind, {})[stage] = list(inside if is_inside else named)
    made = (
        name.rpartition("/")[2] for kind, name, _ in life["held"]["create"] if kind == "resource"
    )
    found[STACK_FAILURE] = {"create": list(dict.fromkeys(made))}
    found[NO_CAPACITY] = {"create": [_FIRST_TYPE]}
    return found


def main() -> int:
    """Do what the module's docstring says."""
    order = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    began_s = time.monotonic()
    held = {name: read(one) for name, one in order["held"].items()}
    told = walk(order["kind"], order["places"], held)
    document = {
        "problems": told.problems,
        "orphans": told.orphans,
        "runs": told.runs,
        "seconds": round(time.monotonic() - began_s, 1),
    }
    Path(sys.argv[2]).write_text(json.dumps(document), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
