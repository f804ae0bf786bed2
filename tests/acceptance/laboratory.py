"""The example, and ways to break it: every case is the example's files with an edit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from lowtide.app.files import Inputs
from lowtide.app.simulate import simulate
from lowtide.model.simulation import Simulation
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "noble-gpu"
Edit = Callable[[str], str]

AS_FILE = """\
apiVersion: lowtide.dev/v1alpha1
kind: Policy
autoscaler: {tags: asFile}
"""


def swap(old: str, new: str) -> Edit:
    """An edit that replaces text, which must be there."""

    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return edit


def without_lines(part: str) -> Edit:
    """An edit that drops every line with this part, of which there must be one."""

    def edit(text: str) -> str:
        kept = [line for line in text.splitlines(keepends=True) if part not in line]
        assert len(kept) < len(text.splitlines()), part
        return "".join(kept)

    return edit


def run_example(
    folder: Path,
    edits: Mapping[str, Edit | list[Edit]] | None = None,
    *,
    files: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Simulation:
    """Simulate a copy of the example with edits by file name and further files."""
    place = folder / "example"
    shutil.copytree(EXAMPLE, place)
    for name, given in (edits or {}).items():
        path = place / name
        for edit in given if isinstance(given, list) else [given]:
            path.write_text(edit(path.read_text()))
    for name, text in (files or {}).items():
        (place / name).write_text(text)
    return simulate(
        Inputs(cluster=str(place / "cluster.yaml"), workload=str(place / "scenario.yaml")),
        seed=seed,
    )


def reasons(simulation: Simulation) -> set[str]:
    """Every reason of every node and group for the pods that never ran."""
    return {
        reason
        for one in simulation.pods.refused
        for many in one.reasons.values()
        for reason in many
    }


def peaks(simulation: Simulation) -> list[int]:
    """The largest size that each GPU group was asked to have, in order of size."""
    groups = [name for name, _ in simulation.gpu_groups]
    return sorted(
        max(row.desired_by_group.get(name, 0) for row in simulation.states) for name in groups
    )


def waves(simulation: Simulation) -> list[int]:
    """The number of GPU nodes at each turn between growing and shrinking: 0, 10, 0, ..."""
    groups = [name for name, _ in simulation.gpu_groups]
    turns: list[int] = []
    for row in simulation.states:
        count = sum(row.nodes_by_group.get(name, 0) for name in groups)
        if turns and turns[-1] == count:
            continue
        rising = len(turns) >= 2 and (turns[-1] - turns[-2]) * (count - turns[-1]) > 0
        turns[-1:] = [count] if rising else [*turns[-1:], count]
    return turns
