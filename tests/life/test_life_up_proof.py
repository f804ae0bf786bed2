"""``up --prove``: a pod ran nvidia-smi on a node that came from zero, and again after it went back to zero."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.app import proving
from lowtide.app.patience import Patience
from lowtide.cli.main import run
from lowtide.kube.live import kinds
from lowtide.model.errors import KubernetesError, LowtideError
from lowtide.report.live import progress_text
from tests.life.conftest import EXAMPLE

if TYPE_CHECKING:
    from lowtide.local.serve import Serving


class Played:
    """A cluster in which nodes and the proof's pod are as each look says; it stands for ``kube.live.client.Cluster``."""

    def __init__(
        self, nodes: list[int], phases: list[str], pods: tuple[dict[str, Any], ...] = ()
    ) -> None:
        self._pods = pods
        self._nodes = iter(nodes)
        self._phases = iter(phases)
        self.pod: dict[str, Any] | None = None
        self.calls: list[str] = []
        self.created: list[dict[str, Any]] = []

    def list(self, kind: object, **__: object) -> Any:
        if kind is kinds.POD:
            return SimpleNamespace(items=self._pods)
        labels = {"k8s.amazonaws.com/accelerator": "t4"}
        node = {"metadata": {"name": "n", "labels": labels}, "status": {}}
        return SimpleNamespace(items=(node,) * next(self._nodes, 0))

    def create(self, obj: dict[str, Any]) -> None:
        assert self.pod is None
        self.calls.append("create")
        self.created.append(obj)
        self.pod = {**obj, "spec": {**obj["spec"], "nodeName": "n"}, "status": {}}

    def get(self, *_: object) -> dict[str, Any] | None:
        if self.pod is not None and "create" in self.calls[-1:]:
            self.pod["status"] = {"phase": next(self._phases, "Pending")}
        return self.pod

    def delete(self, *_: object, **__: object) -> bool:
        self.calls.append("delete")
        self.pod = None
        return True

    def log(self, *_: object) -> str:
        return "Tesla T4"


def _prove(cluster: Played, *, timeout_s: float = 60) -> tuple[list[str], Any]:
    told: list[str] = []
    found = proving.prove(
        proving.Proving(
            cluster=cluster,  # type: ignore[arg-type] # it has what is asked of it here
            patience=Patience(timeout_s, "lowtide up", sleep=lambda _: None),
            tell=lambda one: told.append(progress_text(one)),
            before_act=lambda: None,
        )
    )
    return told, found


def test_each_round_begins_with_no_gpu_node() -> None:
    cluster = Played([0, 2, 1, 0], ["Pending", "Running", "Succeeded", "Pending", "Succeeded"])
    told, proofs = _prove(cluster)
    assert [(one.node, one.log) for one in proofs] == [("n", "Tesla T4")] * 2
    assert cluster.calls == ["delete", "create", "delete", "create", "delete"]
    for pod in cluster.created:
        (container,) = pod["spec"]["containers"]
        assert container["command"] == ["nvidia-smi"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert pod["spec"]["tolerations"] == [{"operator": "Exists"}]
    waits = [one for one in told if "waiting" in one]
    assert waits == ["GPU nodes: waiting for 2 to go", "GPU nodes: waiting for 1 to go"]


def _pod(name: str, *, node: str = "n", namespace: str = "default") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": node},
        "status": {"phase": "Running"},
    }


def test_the_pods_that_hold_gpu_nodes_are_named() -> None:
    pods = (*(_pod(one) for one in "dcba"), _pod("e", node="o"), _pod("f", namespace="kube-system"))
    cluster = Played([1, 1, 0], ["Succeeded", "Succeeded"], pods)
    told, _ = _prove(cluster)
    waits = [one for one in told if "waiting" in one]
    held = "held by default/a, default/b, default/c and 1 more"
    assert waits == [f"GPU nodes: waiting for 1 to go ({held})"]


def test_the_end_of_the_wait_names_the_pods_that_hold_gpu_nodes() -> None:
    cluster = Played([1] * 100_000, [], (_pod("train"),))
    with pytest.raises(LowtideError) as raised:
        _prove(cluster, timeout_s=0.05)
    assert "GPU nodes that are still there: 1, held by default/train" in raised.value.why


def test_a_pod_that_fails_is_an_error_with_what_it_printed_and_it_is_deleted() -> None:
    cluster = Played([0], ["Failed"])
    with pytest.raises(KubernetesError, match="nvidia-smi failed") as raised:
        _prove(cluster)
    assert raised.value.why == "Tesla T4"
    assert cluster.calls == ["delete", "create", "delete"]


def test_a_pod_that_never_runs_ends_with_the_wait_and_is_deleted() -> None:
    cluster = Played([0], [])
    with pytest.raises(LowtideError):
        _prove(cluster, timeout_s=0.05)
    assert cluster.pod is None


@pytest.fixture
def here(real: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_nodes_come_from_zero_twice_in_the_box(
    here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--yes", "--prove", "-o", "json"]) == 0
    said = capsys.readouterr()
    proofs = json.loads(said.out)["proofs"]
    assert len(proofs) == 2
    assert proofs[0]["node"] != proofs[1]["node"]
    assert "GPU nodes: waiting for 1 to go" in said.err
