"""The walk-through of docs/walk-through.md, with the real ``aws`` and ``kubectl`` and nothing else.

The page's commands are run as they stand; its stacks are created by the commands of the README that ``render`` wrote, and
deleted by those of its last section.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.e2e.guide_blocks import ROOT, blocks, page
from tests.local.life.home import Home

pytestmark = pytest.mark.slow

#: The autoscaler waits 30 s before it looks at GPU pods and caches groups for 60 s; the rest is start-up, here quickened.
GROWS_WITHIN_S = 300.0
#: The GPU groups' unneeded time is two minutes, by their tags.
SHRINKS_WITHIN_S = 480.0


@dataclass
class Watched:
    """The GPU nodes and the example's pods, as kubectl shows them, and what was seen of them."""

    home: Home
    sizes: list[int] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)

    def kubectl(self, *arguments: str) -> str:
        ran = self.home.shell("kubectl", *arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *arguments, "-o", "json"))[
            "items"
        ]
        return found

    def nodes(self) -> list[dict[str, Any]]:
        """Return the GPU nodes, and note how many there are."""
        found = self.items("nodes", "-l", "k8s.amazonaws.com/accelerator")
        if not self.sizes or self.sizes[-1] != len(found):
            self.sizes.append(len(found))
            print(f"{time.monotonic() - self.started_s:6.0f} s  {len(found)} GPU nodes")
        return found

    def running(self) -> int:
        pods = self.items("pods", "-l", "app=cudaexample")
        return sum(pod["status"]["phase"] == "Running" for pod in pods)

    def until(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {within_s:.0f} s; {self.story()}"
            time.sleep(2)

    def story(self) -> str:
        """Return what there is to see when the walk stops."""
        events = self.home.shell("kubectl", "get", "events", "-A", "--sort-by=.lastTimestamp")
        status = self.home.run("local", "status")
        return f"{self.sizes}\n{events.stdout[-6000:]}\n{status.stdout}\n{self.home.run('local', 'logs', 'all', '-n', '20').stdout}"


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
