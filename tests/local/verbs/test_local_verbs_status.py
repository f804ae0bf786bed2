"""``status`` and ``scale`` on a real control plane: pods that wait and why, nodes that come, what they cost."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.app.inside import connected
from lowtide.aws.live.account import Account
from lowtide.cli.main import run
from lowtide.kube.live import kinds
from lowtide.local.aws.settings import Settings
from lowtide.local.controlplane.binaries import Binaries
from lowtide.local.serve import Serving
from tests.conftest import ROOT

FILE = """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: vision, region: us-east-1, version: "1.36"}
availabilityZones: [us-east-1a, us-east-1b]
nodeGroups:
  - {name: general, instanceType: m5.large, minSize: 1, maxSize: 2}
  - name: gpu
    availabilityZones: [us-east-1a]
    minSize: 0
    maxSize: 3
    instancesDistribution: {instanceTypes: [g4dn.xlarge], onDemandPercentageAboveBaseCapacity: 0}
    taints: [{key: nvidia.com/gpu, value: "true", effect: NoSchedule}]
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "train", "namespace": "default"},
    "spec": {
        "containers": [
            {"name": "main", "image": "busybox", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
        ]
    },
}


def lowtide(*arguments: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    assert code in {0, 5}, err.getvalue()
    return code, out.getvalue()


def status() -> Any:
    code, out = lowtide("status", "-o", "json")
    assert code == 0
    return json.loads(out)


@pytest.fixture
def vision(
    binaries: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    """A cluster that `up` made, without autoscaler and device plugin."""
    settings = Settings(folder=tmp_path / "box", speed=60.0, binaries=binaries.etcd.parent)
    with Serving(settings, planes="real") as served:
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        Path("cluster.yaml").write_text(FILE)
        code, _ = lowtide("up", "--yes", "--addons", "none")
        assert code == 0
        yield Account("us-east-1")


@pytest.mark.slow
def test_a_pod_without_a_gpu_is_explained_and_nodes_are_counted_and_priced(
    vision: Account,
) -> None:
    with connected(vision, "vision") as cluster:
        cluster.apply(POD)
        before = until(
            lambda found: "0/1 nodes" in str(found["waiting"]) and found["groups"][0]["ready"] == 1
        )
        (row,) = [one for one in before["waiting"] if one["owner"] == "Pod default/train"]
        assert "0/1 nodes are available" in row["reason"]
        assert before["gpus"] == {"asked": 1, "held": 0, "offered": 0}
        assert before["autoscaler"] == "not installed"
        lowtide("scale", "gpu", "--min", "1", "--yes")
        after = until(lambda found: found["groups"][1]["ready"] == 1)
        spot = [one for one in after["nodes"] if one["group"] == "gpu"]
        assert [(one["spot"], one["zone"], one["state"]) for one in spot] == [
            (True, "us-east-1a", "ready")
        ]
        assert spot[0]["usd_per_hour"] > 0
        assert after["usd_per_hour"]["nodes"] > before["usd_per_hour"]["nodes"]
        assert after["prices"]["spot"]["refreshed"]
        plugin = ROOT / "examples" / "noble-gpu" / "nvidiplugin.yaml"
        for one in yaml.safe_load_all(plugin.read_text()):
            cluster.apply(one)
        done = until(lambda found: found["gpus"]["held"] == 1 and not found["waiting"])
        assert done["gpus"] == {"asked": 1, "held": 1, "offered": 1}
        assert cluster.get(kinds.POD, "train", "default") is not None


def until(is_so: Any) -> Any:
    end = time.monotonic() + 120
    while not is_so(found := status()):
        assert time.monotonic() < end, json.dumps(found, indent=1)
        time.sleep(1)
    return found
