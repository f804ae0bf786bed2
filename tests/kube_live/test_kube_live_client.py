"""The Kubernetes client against a real API server: what it sends, and how refusals come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, Conflict, Unreachable
from lowtide.model.errors import KubernetesError

if TYPE_CHECKING:
    from lowtide.local.controlplane.planes import Plane


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_what_was_created_is_read_back_and_deleted_once(cluster: Cluster) -> None:
    assert cluster.get(kinds.CONFIG_MAP, "once", "default") is None
    cluster.create(config_map("once", a="1"))
    found = cluster.get(kinds.CONFIG_MAP, "once", "default")
    assert found is not None
    assert found["data"] == {"a": "1"}
    assert cluster.delete(kinds.CONFIG_MAP, "once", namespace="default") is True
    assert cluster.delete(kinds.CONFIG_MAP, "once", namespace="default") is False


def test_a_second_create_is_a_conflict_in_the_servers_words(cluster: Cluster) -> None:
    cluster.create(config_map("twice"))
    with pytest.raises(Conflict) as refused:
        cluster.create(config_map("twice"))
    assert refused.value.why == 'configmaps "twice" already exists'


def test_applied_fields_belong_to_their_manager_and_others_conflict(cluster: Cluster) -> None:
    cluster.apply(config_map("owned", size="1"), manager="first")
    with pytest.raises(Conflict) as refused:
        cluster.apply(config_map("owned", size="2"), manager="second", force=False)
    assert 'conflict with "first": .data.size' in refused.value.why
    assert cluster.apply(config_map("owned", size="2"), manager="second")["data"] == {"size": "2"}


def test_a_replace_with_an_old_version_is_a_conflict(cluster: Cluster) -> None:
    old = cluster.create(config_map("versioned", a="1"))
    cluster.replace({**config_map("versioned", a="2"), "metadata": old["metadata"]})
    with pytest.raises(Conflict) as refused:
        cluster.replace({**config_map("versioned", a="3"), "metadata": old["metadata"]})
    assert "the object has been modified" in refused.value.why


def test_a_dict_merges_and_a_list_is_a_json_patch(cluster: Cluster) -> None:
    cluster.create(config_map("patched", a="1"))
    merged = cluster.patch(kinds.CONFIG_MAP, "patched", {"data": {"b": "2"}}, namespace="default")
    assert merged["data"] == {"a": "1", "b": "2"}
    removal = [{"op": "remove", "path": "/data/a"}]
    patched = cluster.patch(kinds.CONFIG_MAP, "patched", removal, namespace="default")
    assert patched["data"] == {"b": "2"}


def test_a_list_holds_one_namespace_or_all_and_filters_by_labels(cluster: Cluster) -> None:
    labelled = config_map("listed")
    labelled["metadata"]["labels"] = {"tide": "low"}
    cluster.create(labelled)
    everywhere = cluster.list(kinds.CONFIG_MAP, labels={"tide": "low"})
    assert [one["metadata"]["name"] for one in everywhere.items] == ["listed"]
    assert (everywhere.items[0]["apiVersion"], everywhere.items[0]["kind"]) == ("v1", "ConfigMap")
    assert (
        cluster.list(kinds.CONFIG_MAP, namespace="kube-system", labels={"tide": "low"}).items == ()
    )


def test_the_status_of_a_node_is_patched_apart_from_the_node(cluster: Cluster) -> None:
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "with-status"}})
    patch = {"status": {"capacity": {"nvidia.com/gpu": "1"}}}
    patched = cluster.patch(kinds.NODE, "with-status", patch, status=True)
    assert patched["status"]["capacity"] == {"nvidia.com/gpu": "1"}
    cluster.delete(kinds.NODE, "with-status")


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    }


def test_an_eviction_removes_the_pod_and_one_of_a_pod_that_is_gone_counts_as_done(
    cluster: Cluster,
) -> None:
    cluster.create(pod("evicted"))
    assert cluster.evict("default", "evicted") is True
    assert cluster.get(kinds.POD, "evicted", "default") is None
    assert cluster.evict("default", "evicted") is True


def test_an_eviction_waits_while_a_budget_forbids_it(cluster: Cluster) -> None:
    cluster.create(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kept", "namespace": "default"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}},
        }
    )
    cluster.create(pod("kept", app="kept"))
    patch = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    cluster.patch(kinds.POD, "kept", patch, namespace="default", status=True)
    assert cluster.evict("default", "kept") is False
    assert cluster.get(kinds.POD, "kept", "default") is not None


def test_a_token_of_a_service_account_has_that_accounts_rights_alone(
    cluster: Cluster, plane: Plane, tmp_path: Path
) -> None:
    token = cluster.token("default", "default", lifetime_s=3600)
    config = json.loads(plane.admin_kubeconfig.read_text("utf-8"))
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "config").write_text(json.dumps(config), encoding="utf-8")
    with (
        Cluster.connect(tmp_path / "config") as connected,
        pytest.raises(KubernetesError) as refused,
    ):
        connected.list(kinds.NODE)
    assert 'User "system:serviceaccount:default:default" cannot list' in refused.value.why


def test_a_token_bound_to_a_pod_ends_with_the_pod(
    cluster: Cluster, plane: Plane, tmp_path: Path
) -> None:
    bound = cluster.create(pod("bound"))["metadata"]
    token = cluster.token("default", "default", lifetime_s=3600, pod=bound)
    cluster.delete(kinds.POD, "bound", namespace="default", grace_s=0)
    config = json.loads(plane.admin_kubeconfig.read_text("utf-8"))
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "config").write_text(json.dumps(config), encoding="utf-8")
    with (
        Cluster.connect(tmp_path / "config") as connected,
        pytest.raises(KubernetesError) as refused,
    ):
        connected.list(kinds.NODE)
    assert refused.value.why == "Unauthorized"


def test_a_kind_without_a_row_in_the_table_is_refused_with_what_to_do(cluster: Cluster) -> None:
    with pytest.raises(KubernetesError) as refused:
        cluster.create({"apiVersion": "example.com/v1", "kind": "Tide", "metadata": {"name": "x"}})
    assert refused.value.fix == "apply it with kubectl"


def test_a_server_that_is_not_there_is_unreachable_and_no_traceback(tmp_path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(json.dumps(config), encoding="utf-8")
    with Cluster.connect(tmp_path / "config") as connected, pytest.raises(Unreachable) as failed:
        connected.get(kinds.NODE, "x")
    assert "refused" in failed.value.why


def test_a_missing_kubeconfig_is_told_with_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(KubernetesError) as failed:
        Cluster.connect(tmp_path / "nowhere")
    assert failed.value.fix == "write it with: aws eks update-kubeconfig --name CLUSTER"


def test_a_context_that_is_not_there_is_named(plane: Plane) -> None:
    with pytest.raises(KubernetesError) as failed:
        Cluster.connect(plane.admin_kubeconfig, context="ebb")
    assert "context ebb" in failed.value.where
