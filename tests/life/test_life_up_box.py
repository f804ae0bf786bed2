"""``lowtide up`` against real control planes in the box: made, kept, changed, killed, raced."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.aws.live.account import Account
from lowtide.aws.live.stacks import LiveStack, Stacks
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.model import names
from tests.conftest import ROOT

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "noble-gpu"
NAME = "noble-gpu-example"
LOWTIDE = [sys.executable, "-m", "lowtide"]


@pytest.fixture
def up(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run ``up`` in this process and return its document."""

    def run_up(*arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        code = run(["up", "--yes", "-o", "json", *arguments])
        said = capsys.readouterr()
        assert code == 0, said.err
        document: dict[str, Any] = json.loads(said.out)
        return document

    return run_up


def _stacks(cluster: str = NAME) -> dict[str, LiveStack]:
    found = Stacks(Account("us-east-1")).all()
    return {
        one.name.removeprefix(f"lowtide-{cluster}-"): one for one in found if one.owner == cluster
    }


def _instances(cluster: str = NAME) -> set[str]:
    api = Account("us-east-1").client("ec2")
    answer = api.describe_instances(
        Filters=[
            {"Name": f"tag:{names.CLUSTER_TAG}", "Values": [cluster]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
    )
    return {one["InstanceId"] for group in answer["Reservations"] for one in group["Instances"]}


def _kubectl(*arguments: str) -> str:
    ran = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _rollout(workload: str) -> str:
    """Return how far it is now, without waiting."""
    return _kubectl("-n", "kube-system", "rollout", "status", "--watch=false", workload)


def _pods() -> dict[str, str]:
    listed = json.loads(_kubectl("get", "pods", "-A", "-o", "json"))["items"]
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in listed}


def _leftovers(cluster: str) -> tuple[list[str], list[str]]:
    """Return leases and change sets that are still there."""
    account = Account("us-east-1")
    leases = account.client("ssm").get_parameters_by_path(Path=f"/lowtide/{cluster}/lease")
    api = account.client("cloudformation")
    sets = [
        one["ChangeSetName"]
        for stack in _stacks(cluster).values()
        for one in api.list_change_sets(StackName=stack.id)["Summaries"]
        if one["ExecutionStatus"] == "AVAILABLE"
    ]
    return [one["Name"] for one in leases["Parameters"]], sets


def test_up_ends_when_nodes_are_ready_and_everything_runs(up: Callable[..., Any]) -> None:
    said = up()
    assert said["schema"] == "lowtide.up/v1"
    assert said["nodes_ready"] == 1
    assert {one["done"] for one in said["stacks"]} <= {"created", "unchanged"}
    nodes = json.loads(_kubectl("get", "nodes", "-o", "json"))["items"]
    ready = [
        one
        for node in nodes
        for one in node["status"]["conditions"]
        if one["type"] == "Ready" and one["status"] == "True"
    ]
    assert len(ready) == len(nodes) == 1
    for workload in (
        "deployment/cluster-autoscaler",
        "deployment/aws-node-termination-handler",
        "daemonset/nvidia-device-plugin-daemonset",
    ):
        assert "successfully rolled out" in _rollout(workload)
    stacks = _stacks()
    assert len(stacks) == 7
    assert stacks["cluster"].is_protected
    assert not stacks["addons"].is_protected
    # In another order of the tests the cluster was there and has been changed before.
    assert {one.status for one in stacks.values()} <= {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    assert _leftovers(NAME) == ([], [])
    queue = _kubectl("-n", "kube-system", "get", "cm", "aws-node-termination-handler", "-o", "json")
    assert json.loads(queue)["data"]["queue-url"] == stacks["interruption"].outputs["QueueUrl"]


def test_a_second_up_changes_nothing(
    up: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    stacks, instances, pods = _stacks(), _instances(), _pods()
    said = up()
    assert {one["done"] for one in said["stacks"]} == {"unchanged"}
    assert (_stacks(), _instances(), _pods()) == (stacks, instances, pods)
    assert run(["up"]) == 0, "nothing to ask"
    assert "no stack and no object would change" in capsys.readouterr().err


def test_objects_that_somebody_changed_are_named_by_the_plan_and_set_back_by_up(
    up: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    assert run(["plan", "--live"]) == 0
    assert "differ" not in capsys.readouterr().out
    deployment = "deployment/cluster-autoscaler"
    image = ("-o", "jsonpath={.spec.template.spec.containers[0].image}")
    before = _kubectl("-n", "kube-system", "get", deployment, *image)
    other = before.rpartition(":")[0] + ":v0.0.1"
    _kubectl("-n", "kube-system", "set", "image", deployment, f"cluster-autoscaler={other}")
    daemons = "daemonset/nvidia-device-plugin-daemonset"
    _kubectl("-n", "kube-system", "delete", daemons)
    assert run(["plan", "--live"]) == 0
    shown = capsys.readouterr().out
    assert "2 Kubernetes objects differ" in shown
    changed = next(one for one in shown.splitlines() if "~ Deployment/" in one)
    assert changed.startswith("  ~ Deployment/cluster-autoscaler: ")
    assert "image" in changed
    assert "  + DaemonSet/nvidia-device-plugin-daemonset" in shown.splitlines()
    assert _kubectl("-n", "kube-system", "get", deployment, *image) == other, "nothing was changed"
    up()
    assert _kubectl("-n", "kube-system", "get", deployment, *image) == before
    assert run(["plan", "--live"]) == 0
    assert "differ" not in capsys.readouterr().out


def test_applying_the_manifests_of_the_example_afterwards_changes_no_pod(
    up: Callable[..., Any],
) -> None:
    up()
    before = _pods()
    _kubectl("apply", "-f", str(EXAMPLE / "autoscaler"))
    _kubectl("apply", "-f", str(EXAMPLE / "nvidiplugin.yaml"))
    for workload in ("deployment/cluster-autoscaler", "daemonset/nvidia-device-plugin-daemonset"):
        assert "successfully rolled out" in _rollout(workload)
    assert _pods() == before
    assert {one["done"] for one in up()["stacks"]} == {"unchanged"}


@pytest.fixture
def publish_images(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let AWS publish new images."""
    from lowtide.local.aws import ssm
    from lowtide.local.aws.ssm.images import parameters

    others = {
        name: value[:-4] + "beef" if value.startswith("ami-") else value
        for name, value in parameters("us-east-1").items()
    }
    return lambda: monkeypatch.setattr(ssm, "parameters", lambda _region: others)


def test_an_unrelated_change_replaces_no_image_and_no_node(
    up: Callable[..., Any],
    publish_images: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    up("--refresh-amis")
    publish_images()
    images = {name: one.parameters.get("ImageId", "") for name, one in _stacks().items()}
    instances = _instances()
    path = Path("cluster.yaml")
    path.write_text(path.read_text("utf-8").replace("maxSize: 10", "maxSize: 5", 1), "utf-8")
    assert run(["plan", "--live"]) == 0
    shown = capsys.readouterr().out
    assert "Newer node images" in shown
    assert re.search(r"nodegroup-general: ami-\w+ -> ami-\w+beef", shown)
    assert "nodegroup-gpu-spot-a: change, 1 resource" in shown
    assert "MaxSize" in shown
    done = {one["name"]: one["done"] for one in up()["stacks"]}
    assert {name for name, word in done.items() if word == "changed"} == {
        f"lowtide-{NAME}-nodegroup-gpu-spot-a"
    }
    assert {name: one.parameters.get("ImageId", "") for name, one in _stacks().items()} == images
    assert _instances() == instances
    refreshed = up("--refresh-amis")
    assert sum(one["done"] == "changed" for one in refreshed["stacks"]) == 4
    assert all(
        one.parameters["ImageId"].endswith("beef")
        for name, one in _stacks().items()
        if name.startswith("nodegroup-")
    )
    assert _instances() == instances, "new nodes take the new image, old ones stay"


def test_a_group_that_leaves_the_file_leaves_the_account(
    up: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    up()
    path = Path("cluster.yaml")
    whole = path.read_text("utf-8")
    path.write_text(whole[: whole.index("  - name: gpu-spot-c")], "utf-8")
    assert run(["plan", "--live"]) == 0
    assert "nodegroup-gpu-spot-c: delete" in capsys.readouterr().out
    up()
    assert "nodegroup-gpu-spot-c" not in _stacks()
    path.write_text(whole, "utf-8")
    done = {one["name"]: one["done"] for one in up()["stacks"]}
    assert done[f"lowtide-{NAME}-nodegroup-gpu-spot-c"] == "created"


def _renamed(name: str) -> None:
    path = Path("cluster.yaml")
    path.write_text(path.read_text("utf-8").replace(NAME, name), "utf-8")


def test_a_run_killed_at_any_moment_is_finished_by_the_next_one(here: Path) -> None:
    _renamed("killed")
    for seconds in (1.5, 2.5, 4, 6, 9, 12):
        started = subprocess.Popen(
            [*LOWTIDE, "up", "--yes"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        started.send_signal(signal.SIGKILL)
        started.wait()
    ended = subprocess.run(
        [*LOWTIDE, "up", "--yes", "--debug"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert {one.status for one in _stacks("killed").values()} == {"CREATE_COMPLETE"}
    assert len(_stacks("killed")) == 7
    assert len(_instances("killed")) == 1
    assert _leftovers("killed")[0] == []
    clusters = Account("us-east-1").client("eks").list_clusters()["clusters"]
    assert clusters.count("killed") == 1


def test_of_two_at_once_one_wins_and_the_other_is_told(here: Path) -> None:
    _renamed("raced")
    both = [
        subprocess.Popen(
            [*LOWTIDE, "up", "--yes", "--addons", "none"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=300) for one in both]
    codes = [one.returncode for one in both]
    assert sorted(codes) == [0, 1], said
    _, words = said[codes.index(1)]
    assert "another run is at work on cluster raced" in words
    assert re.search(r"lowtide up of arn:aws:iam::\d+:user/lowtide on .+, since 20", words)
    listed = _kubectl("-n", "kube-system", "get", "deployments", "-o", "name").split()
    assert "deployment.apps/cluster-autoscaler" not in listed, "--addons none leaves it to the user"


def test_ctrl_c_ends_with_130_and_one_line_and_the_lease_is_given_back(here: Path) -> None:
    _renamed("stopped")
    started = subprocess.Popen(
        [*LOWTIDE, "up", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stderr is not None
    for line in started.stderr:
        if "CREATE_IN_PROGRESS" in line:
            break
    os.kill(started.pid, signal.SIGINT)
    _, words = started.communicate(timeout=60)
    assert started.returncode == 130
    last = words.rstrip().splitlines()[-1]
    assert last == "Interrupted. What AWS has begun goes on there; go on with: lowtide up"
    assert "Traceback" not in words
    assert _leftovers("stopped")[0] == []


def test_a_first_node_that_never_comes_is_told_with_the_words_of_auto_scaling_and_mended(
    here: Path, real: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    _renamed("starved")
    fault = faults.add(real.box, {"kind": "capacity", "instance_type": "m5.large"})
    try:
        assert run(["up", "--yes"]) == 4
    finally:
        faults.remove(real.box, fault.id)
    words = capsys.readouterr().err
    assert "Stack lowtide-starved-nodegroup-general failed" in words
    assert "do not have sufficient m5.large capacity" in words
    assert run(["up", "--yes"]) == 0
    told = capsys.readouterr().err
    assert "lowtide-starved-nodegroup-general: is removed and created again" in told
