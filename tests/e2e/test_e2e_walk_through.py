"""The walk-through of docs/walk-through.md, with the real ``aws`` and ``kubectl`` and nothing else.

The stacks come from the commands of the README that ``render`` wrote, in its order.
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

from tests.e2e.guide_blocks import blocks
from tests.local.life.home import Home

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "noble-gpu"
NAME = "noble-gpu-example"
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


def _shell(home: Home, lines: str, *, folder: Path, timeout: float = 1200.0) -> None:
    ran = home.shell("bash", "-euc", f"cd {folder}\n{lines}", timeout=timeout)
    assert ran.returncode == 0, f"{lines}\n{ran.stdout}\n{ran.stderr}"


def test_the_stacks_of_render_and_the_examples_manifests_give_0_10_0_10_0_nodes_over_three_zones(
    home: Home, tmp_path: Path
) -> None:
    home.up("--speed", "60")
    rendered = tmp_path / "rendered"
    made = home.run("render", str(rendered), "-f", str(EXAMPLE / "cluster.yaml"))
    assert made.returncode == 0, made.stderr
    readme = blocks((rendered / "README.md").read_text())
    for title in (
        "Cluster and nodes",
        "Access",
        "What needs nodes, and the queue of interruptions",
    ):
        _shell(home, readme[title], folder=rendered)

    seen = Watched(home)
    assert seen.nodes() == []
    for manifest in ("autoscaler", "nvidiplugin.yaml", "cudaexample.yaml"):
        seen.kubectl("apply", "-f", str(EXAMPLE / manifest))
    for size in (10, 0, 10, 0):
        if seen.sizes != [0]:
            seen.kubectl("scale", "deployment", "cudaexample", f"--replicas={size}")
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

    _shell(home, readme["Taking it down"], folder=rendered)
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
