"""What users and controllers add to a cluster and no stack takes away: pods that are held, a balancer, volumes, interfaces, logs.

Why it exists: ``down`` of an empty cluster would not come to most of its calls.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster

_NAMESPACE = "default"
_STARTS_S = 120.0


def move_in(account: Account, cluster: str, kubeconfig: Path) -> None:
    """Add it all."""
    volume = _in_account(account, cluster)
    with Cluster.connect(kubeconfig) as api:
        for one in _objects(volume):
            api.apply(one)
        ends = time.monotonic() + _STARTS_S
        while not _run(api):
            if time.monotonic() > ends:
                raise TimeoutError(f"the guests' pods do not run after {_STARTS_S:.0f} s")
            time.sleep(0.5)


def _run(api: Cluster) -> bool:
    pods = api.list(kinds.POD, namespace=_NAMESPACE).items
    return len(pods) == 3 and all(one["status"].get("phase") == "Running" for one in pods)


def _in_account(account: Account, cluster: str) -> str:
    """Make what controllers make, with the tags that they put on it; return a volume that has none."""
    ec2 = account.client("ec2")
    named = [{"Name": "tag:Name", "Values": [f"lowtide-{cluster}-vpc"]}]
    vpc = ec2.describe_vpcs(Filters=named)["Vpcs"][0]["VpcId"]
    within = [{"Name": "vpc-id", "Values": [vpc]}]
    subnet = ec2.describe_subnets(Filters=within)["Subnets"][0]["SubnetId"]
    theirs = [{"Key": f"kubernetes.io/cluster/{cluster}", "Value": "owned"}]
    of_cni = [{"Key": "cluster.k8s.amazonaws.com/name", "Value": cluster}]

    def tagged(kind: str, tags: list[dict[str, str]]) -> dict[str, Any]:
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}

    group = ec2.create_security_group(
        GroupName="k8s-elb-web", Description="d", VpcId=vpc, **tagged("security-group", theirs)
    )["GroupId"]
    pair = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=pair)
    ec2.create_network_interface(
        SubnetId=subnet, Groups=[group], **tagged("network-interface", of_cni)
    )
    listener = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}
    account.client("elb").create_load_balancer(
        LoadBalancerName="web",
        Listeners=[listener],
        Subnets=[subnet],
        SecurityGroups=[group],
        Tags=theirs,
    )
    account.client("logs").create_log_group(logGroupName=f"/aws/eks/{cluster}/cluster")
    zone = f"{account.region}a"
    ec2.create_volume(AvailabilityZone=zone, Size=1, **tagged("volume", theirs))
    return str(ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"])


def _objects(volume: str) -> list[dict[str, Any]]:
    return [
        _deployment("free", 1),
        _deployment("held", 2),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "held", "namespace": _NAMESPACE},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "held"}}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": _NAMESPACE},
            "spec": {
                "type": "LoadBalancer",
                "selector": {"app": "held"},
                "ports": [{"port": 80}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "data"},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": volume},
            },
        },
    ]


def _deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": _NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "pause", "image": "pause"}]},
            },
        },
    }
