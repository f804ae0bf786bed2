"""``lowtide down`` against real control planes in the box: what runs ends in order, with an end, and nothing is bought meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.aws.live.account import Account
from lowtide.aws.live.node_groups import node_groups
from lowtide.aws.live.stacks import Stacks
from lowtide.cli.main import run
from lowtide.local.autoscaler.program import find_program
from lowtide.model import names
from tests.conftest import ROOT
from tests.life import leftovers

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "noble-gpu"
NAME = "noble-gpu-example"
LOWTIDE = [sys.executable, "-m", "lowtide"]
#: A pod that its PodDisruptionBudget lets nobody evict, a Service with a load balancer, and a volume that a pod used.
OBJECTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 5Gi}
  csi: {driver: ebs.csi.aws.com, volumeHandle: VOLUME}
"""


def _kubectl(*arguments: str, said: str | None = None) -> str:
    ran = subprocess.run(
        ["kubectl", *arguments], capture_output=True, text=True, check=False, input=said
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def bought(real: Serving) -> Iterator[list[str]]:
    """The launches of instances, whoever asks for them."""
    calls: list[str] = []

    def note(box: Any, call: Any) -> None:
        if call.operation == "RunInstances":
            calls.append(call.operation)

    real.box.faults.insert(0, note)
    yield calls
    real.box.faults.remove(note)


def _renamed(name: str) -> None:
    path = Path("cluster.yaml")
    path.write_text(path.read_text("utf-8").replace(NAME, name), "utf-8")


def _stacks(cluster: str) -> set[str]:
    return {one.name for one in Stacks(Account("us-east-1")).all() if one.owner == cluster}


def _document(out: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(out)
    return found


def test_down_ends_what_runs_in_order_and_proves_that_nothing_is_left(
    here: Path, bought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--yes"]) == 0
    volume = leftovers.volume([], 5)
    _kubectl("apply", "-f", "-", said=OBJECTS.replace("VOLUME", volume))
    _kubectl("apply", "-f", str(EXAMPLE / "cudaexample.yaml"))
    _kubectl("scale", "deployment/cudaexample", "--replicas", "2")
    for one in ("web", "cudaexample"):
        _kubectl("rollout", "status", f"deployment/{one}", "--timeout", "240s")
    assert len(bought) >= 3, "a general node, and two for the GPU pods"
    bought.clear()
    capsys.readouterr()
    assert run(["status", "-o", "json"]) == 0
    plays = "upstream" if find_program(None).which == "upstream" else "lowtide"
    program = json.loads(capsys.readouterr().out)["autoscaler_program"]
    assert (program["kind"], program["ready_pods"], program["wanted_pods"]) == (plays, 1, 1)
    code = run(["down", "--yes", "-o", "json", "--drain-timeout", "0.15"])
    said = capsys.readouterr()
    found = _document(said.out)
    assert code == 1
    assert [(one["kind"], one["id"]) for one in found["left"]] == [("volume", volume)]
    assert found["left"][0]["found_by"] == f"{names.CLUSTER_TAG}={NAME}", (
        "marked, while it was known"
    )
    assert len(found["stacks"]) == 7
    assert [one.partition("-")[0] for one in found["forced_pods"]] == ["default/web"]
    assert "a PodDisruptionBudget forbade it" in found["forced_pods"][0]
    lines = (
        "Deployment/cluster-autoscaler: scaled to 0",
        "node group gpu-spot-a: set to 0 nodes",
        "Service default/web: deleted, with its load balancer",
        "drain: the time is over; ended by force",
        f"lowtide-{NAME}-nodegroup-general: DELETE_IN_PROGRESS",
        f"lowtide-{NAME}-cluster: DELETE_IN_PROGRESS",
    )
    places = [said.err.index(one) for one in lines]
    assert places == sorted(places)
    assert bought == [], "nothing was bought in place of what ended"
    assert run(["down", "--yes", "--sweep", "--delete-volumes", "--confirm-name", NAME]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"Nothing of {NAME} is left in us-east-1: looked for ")


def test_a_run_killed_at_any_moment_is_finished_by_the_next_one(here: Path) -> None:
    _renamed("killed-down")
    subprocess.run([*LOWTIDE, "up", "--yes"], check=True, stderr=subprocess.DEVNULL)
    for seconds in (2, 4, 7, 10):
        started = subprocess.Popen(
            [*LOWTIDE, "down", "--yes"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        started.send_signal(signal.SIGKILL)
        started.wait()
    ended = subprocess.run(
        [*LOWTIDE, "down", "--yes", "-o", "json"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert _document(ended.stdout)["nothing_left"]
    assert _stacks("killed-down") == set()


def test_ctrl_c_ends_with_130_and_one_line_and_the_next_run_goes_on(here: Path) -> None:
    _renamed("stopped-down")
    subprocess.run(
        [*LOWTIDE, "up", "--yes", "--addons", "none"], check=True, stderr=subprocess.DEVNULL
    )
    started = subprocess.Popen(
        [*LOWTIDE, "down", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stderr is not None
    for line in started.stderr:
        if "DELETE_IN_PROGRESS" in line:
            break
    os.kill(started.pid, signal.SIGINT)
    _, words = started.communicate(timeout=60)
    assert started.returncode == 130
    last = words.rstrip().splitlines()[-1]
    assert last == "Interrupted. What AWS has begun goes on there; go on with: lowtide down"
    assert "Traceback" not in words
    assert run(["down", "--yes"]) == 0
    assert _stacks("stopped-down") == set()


def test_up_takes_back_what_a_broken_off_down_had_done(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _renamed("regretted")
    assert run(["up", "--yes"]) == 0
    started = subprocess.Popen(
        [*LOWTIDE, "down", "--yes"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert started.stderr is not None
    for line in started.stderr:
        if "regretted-nodegroup-general: DELETE_IN_PROGRESS" in line:
            break
    started.send_signal(signal.SIGKILL)
    started.communicate()
    assert run(["up", "--yes"]) == 0
    groups = {one.name: one for one in node_groups(Account("us-east-1"), "regretted")}
    assert {one.max_size for name, one in groups.items() if name != "general"} == {10}
    nodes = json.loads(_kubectl("get", "nodes", "-o", "json"))["items"]
    assert nodes
    assert not any(one["spec"].get("unschedulable") for one in nodes)
    _kubectl("-n", "kube-system", "rollout", "status", "deployment/cluster-autoscaler")
    assert run(["down", "--yes"]) == 0
