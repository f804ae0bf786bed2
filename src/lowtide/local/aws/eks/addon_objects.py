"""An add-on's objects in the cluster, and whether its pods run.

Why it exists: the twin and the box take the same manifests (``lowtide.kube.addons.eks``). Of an add-on without manifests, and in
a box without control planes, what counts is whether the cluster has nodes at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lowtide.kube.addons.eks import eks_addon
from lowtide.local.aws.eks.addon_table import ADDONS
from lowtide.local.aws.eks.planes_port import cluster_objects
from lowtide.local.aws.eks.state import Cluster

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

#: What EKS puts into a cluster as objects of nobody, unless CreateCluster says bootstrapSelfManagedAddons=false.
_AT_BIRTH = ("vpc-cni", "kube-proxy", "coredns")


def apply_at_birth(box: Box, cluster: Cluster) -> None:
    """Put what a new cluster has by itself into it."""
    if cluster.self_managed:
        for name in _AT_BIRTH:
            apply_addon(box, cluster, name)


def apply_addon(box: Box, cluster: Cluster, name: str) -> None:
    """Put an add-on's objects into the cluster."""
    port, objects = cluster_objects(box), eks_addon(name, cluster.region)
    if port is not None and objects:
        port.apply(cluster.key, objects)


def delete_addon(box: Box, cluster: Cluster, name: str) -> None:
    """Take an add-on's objects out of the cluster."""
    port, objects = cluster_objects(box), eks_addon(name, cluster.region)
    if port is not None and objects:
        port.delete(cluster.key, objects)


def is_available(box: Box, cluster: Cluster, name: str) -> bool:
    """Return whether an add-on's pods run."""
    if not ADDONS[name].needs_nodes:
        return True
    port, objects = cluster_objects(box), eks_addon(name, cluster.region)
    if port is not None and objects:
        return port.available(cluster.key, objects)
    return _has_nodes(box, cluster)


def _has_nodes(box: Box, cluster: Cluster) -> bool:
    """Return whether any group with the cluster's tag has an instance in service."""
    tag = f"kubernetes.io/cluster/{cluster.name}"
    filters = [{"Name": "tag-key", "Values": [tag]}]
    params = {"Filters": filters}
    answer = box.call("autoscaling", "DescribeAutoScalingGroups", params, region=cluster.region)
    return any(
        one["LifecycleState"] == "InService"
        for group in answer["AutoScalingGroups"]
        for one in group["Instances"]
    )
