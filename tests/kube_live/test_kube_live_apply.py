"""Server-side apply on a real API server: what is applied, what would differ, and what applying it again changes."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("lightkube")

import yaml

from lowtide.app.design import design
from lowtide.app.files import Inputs
from lowtide.kube.live import kinds
from lowtide.kube.live.apply import apply_all, differences
from lowtide.kube.live.reaching import reach
from lowtide.model.errors import KubernetesError
from tests.conftest import ROOT

if TYPE_CHECKING:
    from lowtide.kube.live.client import Cluster, Object
    from lowtide.local.controlplane.planes import Plane

EXAMPLE = ROOT / "examples" / "noble-gpu"
SYSTEM = "kube-system"


def _reached(plane: Plane, *, dry_run: bool = False) -> Cluster:
    document = json.loads(plane.admin_kubeconfig.read_text("utf-8"))
    ca = base64.b64encode(plane.ca_pem).decode()
    tokens = iter(["no-such-token", document["users"][0]["user"]["token"]])
    return reach("tide", plane.endpoint, ca, lambda: next(tokens), dry_run=dry_run)


@pytest.fixture
def reached(plane: Plane) -> Iterator[Cluster]:
    """A connection by address and token; the first token is refused, as one that has expired."""
    with _reached(plane) as connected:
        yield connected


@pytest.fixture
def dry(plane: Plane) -> Iterator[Cluster]:
    with _reached(plane, dry_run=True) as connected:
        yield connected


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    """What ``up`` installs for the example."""
    return design(Inputs(cluster=str(EXAMPLE / "cluster.yaml"))).manifests


def _generations(cluster: Cluster, objects: list[Object]) -> dict[str, int]:
    found = {}
    for one in objects:
        kind = kinds.kind_of(one)
        if kind in {kinds.DEPLOYMENT, kinds.DAEMON_SET}:
            kept = cluster.get(kind, one["metadata"]["name"], SYSTEM)
            assert kept is not None
            found[one["metadata"]["name"]] = kept["metadata"]["generation"]
    return found


def test_what_up_installs_can_be_applied_again_and_differs_in_nothing(
    reached: Cluster, dry: Cluster, objects: list[Object]
) -> None:
    for one in reversed(objects):
        reached.delete(kinds.kind_of(one), one["metadata"]["name"], namespace=SYSTEM)
    new = differences(reached, dry, objects)
    assert [one.is_new for one in new] == [True] * len(objects)
    assert apply_all(reached, objects)[-1] == "Deployment/aws-node-termination-handler"
    before = _generations(reached, objects)
    assert differences(reached, dry, objects) == ()
    apply_all(reached, objects)
    assert _generations(reached, objects) == before


def test_the_manifests_of_the_example_change_no_pod_after_up(
    reached: Cluster, objects: list[Object]
) -> None:
    apply_all(reached, objects)
    before = _generations(reached, objects)
    files = [*sorted((EXAMPLE / "autoscaler").iterdir()), EXAMPLE / "nvidiplugin.yaml"]
    applied = [one for path in files for one in yaml.safe_load_all(path.read_text("utf-8"))]
    assert {one["kind"] for one in applied} >= {"Deployment", "DaemonSet"}
    for one in applied:
        reached.apply(one, manager="kubectl", force=False)  # a conflict would be an error
    assert _generations(reached, objects) == before


def test_an_apply_tells_which_fields_it_would_change_and_dry_run_changes_none(
    reached: Cluster, dry: Cluster, objects: list[Object]
) -> None:
    apply_all(reached, objects)
    changed = copy.deepcopy(objects)
    deployment = next(one for one in changed if one["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "registry.example/autoscaler:v9"
    deployment["metadata"]["labels"] = {**deployment["metadata"].get("labels", {}), "team": "tide"}
    before = _generations(reached, objects)
    found = differences(reached, dry, changed)
    assert [(one.kind, one.name, one.is_new) for one in found] == [
        ("Deployment", "cluster-autoscaler", False)
    ]
    assert found[0].paths == (
        "metadata.labels.team",
        "spec.template.spec.containers[0].image",
    )
    assert _generations(reached, objects) == before


def test_what_the_server_refuses_is_said_in_its_words(reached: Cluster) -> None:
    wrong = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "Not_A_Name", "namespace": SYSTEM},
    }
    with pytest.raises(KubernetesError, match="apply ServiceAccount Not_A_Name") as raised:
        apply_all(reached, [wrong])
    assert "cluster tide" in raised.value.where
    assert "RFC 1123" in raised.value.why


def test_a_pod_without_a_kubelet_has_no_log_and_the_server_says_why(reached: Cluster) -> None:
    with pytest.raises(KubernetesError, match="log of default/nobody"):
        reached.log("default", "nobody")


def test_a_token_that_the_server_never_takes_is_refused(plane: Plane) -> None:
    ca = base64.b64encode(plane.ca_pem).decode()
    with (
        reach("tide", plane.endpoint, ca, lambda: "wrong") as cluster,
        pytest.raises(KubernetesError, match="Kubernetes refused: nodes") as raised,
    ):
        cluster.list(kinds.NODE)
    assert raised.value.exit_code == 5
    assert "Unauthorized" in raised.value.why
    assert "access entry" in raised.value.fix
