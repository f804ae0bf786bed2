"""Whether the faults of a scenario name groups and zones that the cluster has.

Why it exists: a scenario is read without a cluster; a fault on a misspelled group would break nothing, and the run would
prove nothing.

LT502 unknown-place   a fault on a node group or zone that the cluster does not have
"""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.model.scenario import Interrupt, NoCapacity, Scenario
from lowtide.spec.document import did_you_mean

UNKNOWN_PLACE = ("LT502", "unknown-place")


def place_findings(scenario: Scenario, cluster: ResolvedCluster, file: str) -> tuple[Finding, ...]:
    """Return a finding for each fault on a place that the cluster does not have."""
    groups = tuple(one.name for one in cluster.node_groups)
    return tuple(
        _finding(number, kind, name, known, file)
        for number, kind, name in _places(scenario)
        for known in (groups if kind == "group" else cluster.zones,)
        if name not in known
    )


def _places(scenario: Scenario) -> Iterator[tuple[int, str, str]]:
    """Return the step's number, the kind of place and its name for each fault."""
    for number, step in enumerate(scenario.steps, 1):
        match step.action:
            case Interrupt(group=group):
                yield number, "group", group
            case NoCapacity(group=group, zone=zone):
                yield from (
                    (number, kind, name)
                    for kind, name in (("group", group), ("zone", zone))
                    if name
                )


def _finding(number: int, kind: str, name: str, known: tuple[str, ...], file: str) -> Finding:
    code, rule = UNKNOWN_PLACE
    return Finding(
        code=code,
        name=rule,
        severity=Severity.ERROR,
        message=f"step {number}: the cluster has no {kind} {name}",
        mark=Mark(file=file),
        path=f"steps[{number - 1}].fault",
        fix=did_you_mean(name, known),
    )
