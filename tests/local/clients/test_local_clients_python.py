"""Programs in Python: boto3, lightkube and the official client of Kubernetes, with a kubeconfig that ``aws`` wrote."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.local.clients.conftest import NAME, Served, until

IMAGE = "registry.k8s.io/pause:3.10"


@contextlib.contextmanager
def _in(environment: Mapping[str, str]) -> Iterator[None]:
    """Let clients that read the environment of this process find the box."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def test_boto3_waits_and_pages(box: Served) -> None:
    eks, ec2, ssm = (box.client(one) for one in ("eks", "ec2", "ssm"))
    box.create_cluster()
    eks.get_waiter("cluster_active").wait(name=NAME)
    assert [page["clusters"] for page in eks.get_paginator("list_clusters").paginate()] == [[NAME]]
    wanted = [{"Name": "instance-type", "Values": ["g4dn.*", "g7.*"]}]
    types = ec2.get_paginator("describe_instance_types").paginate(
        Filters=wanted, PaginationConfig={"PageSize": 5}
    )
    assert len([one for page in types for one in page["InstanceTypes"]]) == 13
    path = "/aws/service/eks/optimized-ami/1.36"
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
    assert len([one for page in pages for one in page["Parameters"]]) == 20
    history = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=["g4dn.xlarge"], PaginationConfig={"PageSize": 50, "MaxItems": 120}
    )
    assert len(history.build_full_result()["SpotPriceHistory"]) == 120


def test_lightkube_creates_patches_watches_evicts_and_deletes(cluster: Served) -> None:
    from lightkube import Client, KubeConfig
    from lightkube.models.core_v1 import Container, NodeStatus, PodSpec
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod

    with (
        _in(cluster.environment),
        Client(config=KubeConfig.from_file(cluster.environment["KUBECONFIG"])) as client,
    ):
        client.create(Namespace(metadata=ObjectMeta(name="light")))
        settings = ConfigMap(metadata=ObjectMeta(name="a", namespace="light"), data={"k": "v"})
        settings.apiVersion, settings.kind = "v1", "ConfigMap"
        client.apply(settings, field_manager="test")
        client.patch(ConfigMap, "a", {"data": {"k": "w"}}, namespace="light")
        assert client.get(ConfigMap, "a", namespace="light").data == {"k": "w"}
        room = {"cpu": "4", "memory": "16Gi", "pods": "110"}
        played = ObjectMeta(name="played", annotations={"kwok.x-k8s.io/node": "fake"})
        client.create(Node(metadata=played, status=NodeStatus(capacity=room, allocatable=room)))
        until(lambda: _has_account(client, "light"))
        pod = ObjectMeta(name="one", namespace="light")
        client.create(
            Pod(metadata=pod, spec=PodSpec(containers=[Container(name="one", image=IMAGE)]))
        )
        seen = client.watch(Pod, namespace="light", server_timeout=60)
        assert any(one.status and one.status.phase == "Running" for _, one in seen)
        client.create(Pod.Eviction(metadata=pod), "one", namespace="light")
        until(lambda: list(client.list(Pod, namespace="light")) == [])
        client.delete(Node, "played")


def _has_account(client: Any, namespace: str) -> bool:
    from lightkube.resources.core_v1 import ServiceAccount

    return any(one.metadata.name == "default" for one in client.list(ServiceAccount, namespace=namespace))  # fmt: skip


def test_the_official_client_creates_scales_watches_and_deletes(cluster: Served) -> None:
    kubernetes = pytest.importorskip("kubernetes", reason="needs the official client")
    with _in(cluster.environment):
        api_client = kubernetes.config.new_client_from_config(cluster.environment["KUBECONFIG"])
        core, apps = kubernetes.client.CoreV1Api(api_client), kubernetes.client.AppsV1Api(api_client)  # fmt: skip
        core.create_namespace({"metadata": {"name": "official"}})
        deployment = {
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "one", "image": IMAGE}]},
                },
            },
        }
        apps.create_namespaced_deployment("official", deployment)
        apps.patch_namespaced_deployment_scale("web", "official", {"spec": {"replicas": 3}})
        seen = set()
        watch = kubernetes.watch.Watch()
        for event in watch.stream(core.list_namespaced_pod, "official", timeout_seconds=60):
            seen.add(event["object"].metadata.name)
            if len(seen) == 3:
                watch.stop()
        assert len(seen) == 3
        assert apps.read_namespaced_deployment("web", "official").spec.replicas == 3
        apps.delete_namespaced_deployment("web", "official")
        until(lambda: core.list_namespaced_pod("official").items == [])
        with pytest.raises(kubernetes.client.ApiException) as refused:
            apps.read_namespaced_deployment("web", "official")
        assert refused.value.status == 404
        api_client.close()
