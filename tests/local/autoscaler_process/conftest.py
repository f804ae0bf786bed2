"""A box with one real cluster and a node, for the autoscaler that runs beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lowtide.kube.live.client import Cluster
    from lowtide.local.controlplane.binaries import Binaries
    from lowtide.local.serve import Serving

REGION, CLUSTER = "us-west-2", "demo"
KEY = (REGION, CLUSTER)


def wait_for(condition: Callable[[], Any], within_s: float = 180.0) -> Any:
    """Wait until the condition holds and return it, or fail."""
    until = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)
    return found


@dataclass
class Deck:
    """The box, and its cluster as admin."""

    serving: Serving
    cluster: Cluster
    folder: Path

    def running(self) -> Any:
        """What the box says of the cluster's autoscaler."""
        return self.serving.box.ports["autoscalers"].describe(KEY)

    def deploy(self, *flags: str, replicas: int = 1, image: str = "1.36.1") -> None:
        """Apply an autoscaler with these flags."""
        deploy(self.cluster, *flags, replicas=replicas, image=image)


def deploy(cluster: Cluster, *flags: str, replicas: int = 1, image: str = "1.36.1") -> None:
    """Apply an autoscaler with these flags."""
    labels = {"app": "cluster-autoscaler"}
    container = {
        "name": "cluster-autoscaler",
        "image": f"registry.k8s.io/autoscaling/cluster-autoscaler:v{image}",
        "command": ["/cluster-autoscaler"],
        "args": ["--cloud-provider=aws", *flags],
    }
    pod = {"serviceAccountName": "cluster-autoscaler", "containers": [container]}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "cluster-autoscaler", "namespace": "kube-system"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )


def has_node(cluster: Cluster) -> bool:
    """Make a node without an instance where there is none, and say whether it is Ready."""
    from lowtide.kube.live.kinds import NODE

    found = cluster.get(NODE, "general")
    if found is not None:
        conditions = found["status"].get("conditions", ())
        ready = [one["status"] for one in conditions if one["type"] == "Ready"]
        return ready == ["True"]
    amounts = {"cpu": "4", "memory": "8Gi", "pods": "50"}
    metadata = {"name": "general", "annotations": {"kwok.x-k8s.io/node": "fake"}}
    status = {"capacity": amounts, "allocatable": amounts, "conditions": []}
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status})
    return False


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory, binaries: Binaries) -> Iterator[Deck]:
    """A box whose cluster has one node and the access that ``render`` writes for an autoscaler."""
    from lowtide.kube.addons import cluster_autoscaler
    from lowtide.kube.live.client import Cluster
    from lowtide.local.aws.settings import Delays, Settings
    from lowtide.local.serve import Serving

    del binaries
    folder = tmp_path_factory.mktemp("deck") / "box"
    delays = Delays(cluster_create_s=1, role_s=0, resource_s=0, node_ready_s=0, pod_starts_s=0)
    settings = Settings(folder=folder, region=REGION, speed=20.0, delays=delays)
    with Serving(settings, planes="real") as serving:
        box = serving.box

        def aws(service: str, operation: str, **params: Any) -> Any:
            return box.call(service, operation, params, region=REGION)

        trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
        role = aws("iam", "CreateRole", RoleName="cluster", AssumeRolePolicyDocument=trust)
        subnets = [one["SubnetId"] for one in aws("ec2", "DescribeSubnets")["Subnets"][:2]]
        aws(
            "eks",
            "CreateCluster",
            name=CLUSTER,
            version="1.36",
            roleArn=role["Role"]["Arn"],
            resourcesVpcConfig={"subnetIds": subnets},
            accessConfig={"authenticationMode": "API"},
            bootstrapSelfManagedAddons=False,
        )
        wait_for(
            lambda: aws("eks", "DescribeCluster", name=CLUSTER)["cluster"]["status"] == "ACTIVE"
        )
        config = next(folder.glob("clusters/*/access/admin.kubeconfig"))
        with Cluster.connect(config) as cluster:
            for one in cluster_autoscaler.access():
                cluster.apply(dict(one))
            wait_for(lambda: has_node(cluster))
            yield Deck(serving, cluster, folder)
