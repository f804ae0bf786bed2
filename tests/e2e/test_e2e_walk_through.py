"""The walk-through of docs/walk-through.md, with the real ``aws`` and ``kubectl`` and nothing else.

The page's commands are run as they stand; its stacks are created by the commands of the README that ``render`` wrote, and
deleted by those of its last section.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.e2e.guide_blocks import ROOT, blocks, page
from tests.e2e.watched import GROWS_WITHIN_S, SHRINKS_WITHIN_S, Watched
from tests.local.life.home import Home

pytestmark = pytest.mark.slow


def _typed(home: Home, lines: str, *, folder: Path) -> None:
    """Run lines of the page in a shell that has the box's lines."""
    ran = home.shell("bash", "-euc", lines, folder=folder, timeout=1200.0)
    assert ran.returncode == 0, f"{lines}\n{ran.stdout}\n{ran.stderr}"


def test_the_pages_lines_give_0_10_0_10_0_nodes_over_three_zones_and_leave_nothing(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    lines = page()
    home.up("--speed", "60")
    _typed(home, lines["The box"].partition("\n")[2], folder=tmp_path)
    _typed(home, lines["The stacks"], folder=tmp_path)

    seen = Watched(home)
    assert seen.nodes() == []
    _typed(home, lines["Up"].partition("kubectl get")[0], folder=tmp_path)
    scaling = iter(lines["Down, up and down"].splitlines())
    for size in (10, 0, 10, 0):
        if seen.sizes != [0]:
            _typed(home, next(scaling), folder=tmp_path)
        if size:
            seen.until(lambda: seen.running() == 10, GROWS_WITHIN_S, "ten pods run")
            zones = Counter(
                one["metadata"]["labels"]["topology.kubernetes.io/zone"] for one in seen.nodes()
            )
            assert sorted(zones.values()) == [3, 3, 4]
            assert set(zones) == {"us-east-1a", "us-east-1b", "us-east-1c"}
        else:
            seen.until(lambda: not seen.nodes(), SHRINKS_WITHIN_S, "no GPU node is left")
    assert max(seen.sizes) == 10
    runs = home.document("local", "status")["clusters"][0]["autoscaler"]
    assert runs["kind"] == "lowtide"

    _typed(
        home,
        blocks((tmp_path / "rendered" / "README.md").read_text())["Taking it down"],
        folder=tmp_path,
    )
    assert home.aws("cloudformation").describe_stacks()["Stacks"] == []
    assert home.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert home.aws("eks").list_clusters()["clusters"] == []
    states = {
        one["State"]["Name"]
        for reservation in home.aws("ec2").describe_instances()["Reservations"]
        for one in reservation["Instances"]
    }
    assert states <= {"terminated"}
    assert home.children() == []
