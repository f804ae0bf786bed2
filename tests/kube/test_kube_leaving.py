"""What has to go before a cluster is deleted is told from what can stay."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.kube.leaving import ebs_volume, evictable, has_balancer, is_autoscaler


def _deployment(name: str, image: str) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"image": image}]}}
    return {"metadata": {"name": name}, "spec": {"template": pod}}


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("cluster-autoscaler", "mirror.example/ca:1", True),
        ("ca-aws", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.0", True),
        ("ca-aws", "example:5000/cluster-autoscaler@sha256:00", True),
        ("ca", "registry.k8s.io/autoscaling/cluster-autoscaler-operator:v1", False),
        ("web", "nginx", False),
    ],
)
def test_an_autoscaler_is_known_by_its_name_or_its_image(
    name: str, image: str, expected: bool
) -> None:
    assert is_autoscaler(_deployment(name, image)) is expected


def test_services_of_that_type_and_ingresses_with_an_address_of_elb_have_a_balancer() -> None:
    def ingress(host: str) -> dict[str, Any]:
        return {"kind": "Ingress", "status": {"loadBalancer": {"ingress": [{"hostname": host}]}}}

    assert has_balancer({"kind": "Service", "spec": {"type": "LoadBalancer"}})
    assert not has_balancer({"kind": "Service", "spec": {"type": "ClusterIP"}})
    assert has_balancer(ingress("k8s-a-1.us-east-1.elb.amazonaws.com"))
    assert not has_balancer(ingress("ingress.example.org"))
    assert not has_balancer({"kind": "Ingress", "status": {"loadBalancer": {}}})


def _pod(name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", **more.pop("metadata", {})}
    return {
        "metadata": metadata,
        "spec": {"nodeName": more.pop("node", "a")},
        "status": {"phase": more.pop("phase", "Running")},
    }


def test_only_users_pods_that_would_not_come_back_are_evicted() -> None:
    daemon = [{"kind": "DaemonSet", "controller": True}]
    pods = [
        _pod("job"),
        _pod("elsewhere", node="b"),
        _pod("done", phase="Succeeded"),
        _pod("failed", phase="Failed"),
        _pod("agent", metadata={"ownerReferences": daemon}),
        _pod("mirror", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}}),
        _pod("coredns", metadata={"namespace": "kube-system"}),
        {"metadata": {"name": "waits", "namespace": "default"}, "spec": {}, "status": {}},
    ]
    assert [one["metadata"]["name"] for one in evictable(pods, ["a"])] == ["job"]


def test_the_disk_behind_a_volume_is_found_in_both_forms() -> None:
    csi = {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}
    assert ebs_volume({"spec": {"csi": csi}}) == "vol-1"
    assert (
        ebs_volume({"spec": {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}}) == ""
    )
    for written in ("aws://us-east-1a/vol-2", "vol-2"):
        assert ebs_volume({"spec": {"awsElasticBlockStore": {"volumeID": written}}}) == "vol-2"
    assert ebs_volume({"spec": {"hostPath": {"path": "/x"}}}) == ""
