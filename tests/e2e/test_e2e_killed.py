"""The box is killed while GPU nodes come, work and go: the next start finds nodes, instances and pods as they were."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.controlplane.ownership import is_alive
from tests.e2e.guide_blocks import ROOT
from tests.e2e.watched import GROWS_WITHIN_S, SHRINKS_WITHIN_S, Watched
from tests.local.life.home import Home

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "noble-gpu"
GROUPS = ("general", "gpu-spot-a", "gpu-spot-b", "gpu-spot-c")


def _deploy(home: Home, folder: Path) -> None:
    made = home.run("render", str(folder), "-f", str(EXAMPLE / "cluster.yaml"))
    assert made.returncode == 0, made.stderr
    _create(home, folder, ["1-cluster"])
    _create(home, folder, [f"2-nodegroup-{group}" for group in GROUPS])
    kubeconfig = home.shell("aws", "eks", "update-kubeconfig", "--name", "noble-gpu-example")
    assert kubeconfig.returncode == 0, kubeconfig.stderr


def _create(home: Home, folder: Path, files: Sequence[str]) -> None:
    """Create stacks side by side; boto3's waiter may look more often than the aws command's."""
    stacks = home.aws("cloudformation")
    names = [f"lowtide-noble-gpu-example-{file.partition('-')[2]}" for file in files]
    for name, file in zip(names, files, strict=True):
        body = (folder / "cloudformation" / f"{file}.yaml").read_text(encoding="utf-8")
        stacks.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    for name in names:
        waiter = stacks.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300})


def _kill_and_go_on(seen: Watched, *, after_s: float) -> None:
    home = seen.home
    time.sleep(after_s)
    children = home.children()
    os.kill(home.document("local", "status")["pid"], signal.SIGKILL)
    before = dict(home.environment)
    home.up()
    assert home.environment == before
    assert not any(is_alive(child) for child in children)
    there = ("kubectl", "get", "--raw", "/readyz")
    seen.until(lambda: home.shell(*there).returncode == 0, 60, "the API server is back")


def _instances(home: Home) -> set[str]:
    """Return the instances that the GPU groups have in service."""
    groups = home.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return {
        one["InstanceId"]
        for group in groups
        if "gpu-spot" in group["AutoScalingGroupName"]
        for one in group["Instances"]
        if one["LifecycleState"] == "InService"
    }


def _settled(seen: Watched) -> set[str]:
    """Return the nodes by their instances, which are those of the groups, soon if not at once."""

    def found() -> tuple[set[str], set[str]]:
        nodes = {one["spec"]["providerID"].rpartition("/")[2] for one in seen.nodes()}
        return nodes, _instances(seen.home)

    seen.until(
        lambda: len(set(map(frozenset, found()))) == 1, 60, f"nodes are instances: {found()}"
    )
    return found()[0]


def test_killed_while_nodes_come_work_and_go_everything_goes_on(home: Home, tmp_path: Path) -> None:
    home.up("--speed", "60")
    _deploy(home, tmp_path / "rendered")
    seen = Watched(home)
    for manifest in ("autoscaler", "nvidiplugin.yaml", "cudaexample.yaml"):
        seen.kubectl("apply", "-f", str(EXAMPLE / manifest))

    _kill_and_go_on(seen, after_s=random.uniform(0, 60))  # noqa: S311 - a moment, not a secret
    seen.until(lambda: seen.running() == 10, GROWS_WITHIN_S, "ten pods run")
    # An autoscaler that was killed has forgotten what it bought, as on AWS: what is too much goes again.
    seen.until(lambda: len(seen.nodes()) == 10, SHRINKS_WITHIN_S, "ten nodes are left")
    nodes = _settled(seen)
    pods = {one["metadata"]["uid"] for one in seen.items("pods", "-l", "app=cudaexample")}

    _kill_and_go_on(seen, after_s=0)
    seen.until(lambda: seen.running() == 10, 60, "ten pods still run")
    assert _settled(seen) == nodes
    assert {one["metadata"]["uid"] for one in seen.items("pods", "-l", "app=cudaexample")} == pods

    seen.kubectl("scale", "deployment", "cudaexample", "--replicas=0")
    _kill_and_go_on(seen, after_s=random.uniform(60, 180))  # noqa: S311
    seen.until(lambda: not seen.nodes(), SHRINKS_WITHIN_S, "no GPU node is left")
    seen.until(lambda: not _instances(home), 120, "no GPU instance is left")
