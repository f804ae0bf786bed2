"""Faults on places that the cluster does not have are found before a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowtide.app.files import Inputs, load

EXAMPLE = str(Path("examples/noble-gpu/cluster.yaml").resolve())


def _messages(tmp_path: Path, *faults: str) -> list[tuple[str, str, str]]:
    steps = "".join(f"  - {{at: {at}m, fault: {fault}}}\n" for at, fault in enumerate(faults))
    file = tmp_path / "faults.yaml"
    file.write_text(f"apiVersion: lowtide.dev/v1alpha1\nkind: Scenario\nsteps:\n{steps}")
    found = load(Inputs(cluster=EXAMPLE, workload=str(file)))
    assert (found.scenario is None) == bool(found.findings)
    return [(one.code, one.message, one.fix) for one in found.findings]


@pytest.mark.parametrize(
    ("fault", "message", "fix"),
    [
        (
            "{interrupt: {group: gpu-spt-a}}",
            "step 2: the cluster has no group gpu-spt-a",
            "did you mean gpu-spot-a?",
        ),
        (
            "{noCapacity: {group: gpu-spot-d, for: 1h}}",
            "step 2: the cluster has no group gpu-spot-d",
            "did you mean gpu-spot-c?",
        ),
        (
            "{noCapacity: {zone: us-east-1z, for: 1h}}",
            "step 2: the cluster has no zone us-east-1z",
            "did you mean us-east-1c?",
        ),
    ],
)
def test_a_fault_on_an_unknown_place_is_an_error(
    tmp_path: Path, fault: str, message: str, fix: str
) -> None:
    good = "{interrupt: {group: gpu-spot-a}}"
    assert _messages(tmp_path, good, fault) == [("LT502", message, fix)]


def test_faults_on_places_of_the_cluster_are_no_finding(tmp_path: Path) -> None:
    faults = ("{interrupt: {group: gpu-spot-b}}", "{noCapacity: {zone: us-east-1c, for: 1h}}")
    assert _messages(tmp_path, *faults) == []
