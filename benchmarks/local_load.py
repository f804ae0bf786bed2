"""The box under load, on loopback: a hundred nodes and five hundred pods in one cluster, through every part of it.

CloudFormation makes the rendered stacks of a cluster whose general group has a hundred instances; they become nodes, and
a Deployment of five hundred pods runs on them. Then each process's memory and idle CPU is printed.

Needs the programs (`lowtide local build`) and kubectl; without them nothing is printed but that. Run by itself:
`python benchmarks/local_load.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

# Run as a script, Python looks for modules beside it and not in the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import boto3

from benchmarks.figure import HEADER, Figure
from benchmarks.processes import print_usage
from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.releases import DEFAULT_MINOR
from lowtide.model.errors import LowtideError

LOWTIDE = str(Path(sys.executable).with_name("lowtide"))
NAME, NODES, PODS = "bench", 100, 500
SPEED = "100"
WITHIN_S = 600.0
#: Measured on two busy cores against plain kwok nodes: 5 s to a hundred Ready nodes, 13 s to five hundred running pods.
TARGET_NODES_S, TARGET_PODS_S = 60.0, 60.0
SETTLE_S, IDLE_S = 20.0, 30.0
CLUSTER = f"""\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: {NAME}, region: us-east-1, version: "{DEFAULT_MINOR}"}}
availabilityZones: [us-east-1a, us-east-1b]
accessConfig: {{authenticationMode: API}}
nodeGroups:
  - {{name: general, instanceType: m5.large, minSize: {NODES}, maxSize: {NODES}, desiredCapacity: {NODES}}}
"""
LOAD: Mapping[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "load"},
    "spec": {
        "replicas": PODS,
        "selector": {"matchLabels": {"app": "load"}},
        "template": {
            "metadata": {"labels": {"app": "load"}},
            "spec": {"containers": [{"name": "c", "image": "pause"}]},
        },
    },
}


def figures() -> Iterator[Figure]:
    try:
        find_binaries(DEFAULT_MINOR)
    except LowtideError as missing:
        print(f"box under load: {missing.what} (lowtide local build)")
        return
    if shutil.which("kubectl") is None:
        print("box under load: kubectl is not on PATH")
        return
    with tempfile.TemporaryDirectory() as folder:
        box = _Box(Path(folder))
        try:
            yield from box.figures()
        finally:
            box.lowtide("local", "down")


class _Box:
    """A box in the background with its home in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}

    def figures(self) -> Iterator[Figure]:
        up = json.loads(self.lowtide("local", "up", "--speed", SPEED, "-o", "json"))
        self._environment |= up["environment"]
        stacks_s = _seconds(self._deploy)
        yield Figure(name="box: stacks of a cluster to CREATE_COMPLETE", seconds=(stacks_s,))
        nodes_s = _seconds(self._until_nodes)
        yield Figure(
            name=f"box: {NODES} nodes Ready after that", seconds=(nodes_s,), target_s=TARGET_NODES_S
        )
        pods_s = _seconds(self._until_pods)
        yield Figure(
            name=f"box: {PODS} pods from apply to running",
            seconds=(pods_s,),
            target_s=TARGET_PODS_S,
        )
        time.sleep(SETTLE_S)
        status = json.loads(self.lowtide("local", "status", "-o", "json"))
        pids = {"lowtide (the box)": status["pid"], **status["clusters"][0]["processes"]}
        print_usage(pids, over_s=IDLE_S, label=f"idle with {NODES} nodes and {PODS} pods")

    def lowtide(self, *arguments: str) -> str:
        return self._run(LOWTIDE, *arguments)

    def _run(self, *command: str, stdin: str = "") -> str:
        return subprocess.run(
            command,
            env=self._environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        ).stdout

    def _aws(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self._environment["AWS_REGION"],
        )

    def _deploy(self) -> None:
        (self._folder / "cluster.yaml").write_text(CLUSTER, encoding="utf-8")
        rendered = self._folder / "rendered"
        self.lowtide("render", str(rendered), "-f", str(self._folder / "cluster.yaml"))
        stacks = self._aws("cloudformation")
        for part, file in (
            ("cluster", "1-cluster.yaml"),
            ("nodegroup-general", "2-nodegroup-general.yaml"),
        ):
            name = f"lowtide-{NAME}-{part}"
            stacks.create_stack(
                StackName=name,
                TemplateBody=(rendered / "cloudformation" / file).read_text(encoding="utf-8"),
                Capabilities=["CAPABILITY_IAM"],
            )
            waiter = stacks.get_waiter("stack_create_complete")
            waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": int(WITHIN_S)})

    def _until_nodes(self) -> None:
        cluster = self._aws("eks").describe_cluster(name=NAME)["cluster"]
        folder = json.loads(self.lowtide("local", "status", "-o", "json"))["clusters"][0]["folder"]
        assert cluster["status"] == "ACTIVE"
        self._environment["KUBECONFIG"] = str(Path(folder) / "access" / "admin.kubeconfig")
        _until(lambda: self._count("nodes", " Ready ") == NODES)

    def _until_pods(self) -> None:
        self._run("kubectl", "apply", "-f", "-", stdin=json.dumps(LOAD))
        _until(lambda: self._count("pods", " Running ") == PODS)

    def _count(self, what: str, word: str) -> int:
        return self._run("kubectl", "get", what, "--no-headers").count(word)


def _seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"not within {WITHIN_S:.0f} s")
        time.sleep(0.5)


if __name__ == "__main__":
    print(HEADER)
    for one in figures():
        print(one.line(), flush=True)
