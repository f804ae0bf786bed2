"""The add-ons that the box knows, and their versions.

The versions look like EKS's and follow its scheme; they are no copy of its list, which changes weekly. The first one of each is
the default. Which add-ons need nodes: those that run one pod per node on the host's network are ACTIVE without any
(observed with eksctl and CloudFormation; DESIGN.md, fact 15).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lowtide.catalog.versions import VERSIONS

_AWS_POLICY = "arn:aws:iam::aws:policy/"
_SERVICE_POLICY = f"{_AWS_POLICY}service-role/"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAddon:
    """An add-on. ``versions`` are patterns in which ``{minor}`` is the cluster's; ``account`` is its service account."""

    name: str
    type: str
    versions: tuple[str, ...]
    needs_nodes: bool = True
    namespace: str = "kube-system"
    publisher: str = "eks"
    account: str = ""
    policy: str = ""

    def versions_for(self, minor: str) -> tuple[str, ...]:
        """Return the versions for a Kubernetes minor, the default one first."""
        return tuple(one.format(minor=minor) for one in self.versions)


ADDONS = {
    one.name: one
    for one in (
        KnownAddon(
            name="vpc-cni",
            type="networking",
            versions=("v1.20.4-eksbuild.2", "v1.20.3-eksbuild.1", "v1.19.6-eksbuild.7"),
            needs_nodes=False,
            account="aws-node",
            policy=f"{_AWS_POLICY}AmazonEKS_CNI_Policy",
        ),
        KnownAddon(
            name="kube-proxy",
            type="networking",
            versions=("v{minor}.0-eksbuild.4", "v{minor}.0-eksbuild.2"),
            needs_nodes=False,
        ),
        KnownAddon(
            name="coredns",
            type="networking",
            versions=("v1.12.4-eksbuild.1", "v1.12.3-eksbuild.1", "v1.11.4-eksbuild.24"),
        ),
        KnownAddon(
            name="eks-pod-identity-agent",
            type="security",
            versions=("v1.3.9-eksbuild.3", "v1.3.8-eksbuild.2"),
            needs_nodes=False,
        ),
        KnownAddon(
            name="metrics-server",
            type="observability",
            versions=("v0.8.0-eksbuild.2", "v0.7.2-eksbuild.4"),
            publisher="metrics-server",
        ),
        KnownAddon(
            name="aws-ebs-csi-driver",
            type="storage",
            versions=("v1.51.0-eksbuild.1", "v1.48.0-eksbuild.2"),
            account="ebs-csi-controller-sa",
            policy=f"{_SERVICE_POLICY}AmazonEBSCSIDriverPolicy",
        ),
        KnownAddon(
            name="aws-efs-csi-driver",
            type="storage",
            versions=("v2.1.12-eksbuild.1", "v2.1.11-eksbuild.1"),
            account="efs-csi-controller-sa",
            policy=f"{_SERVICE_POLICY}AmazonEFSCSIDriverPolicy",
        ),
        KnownAddon(
            name="aws-fsx-csi-driver",
            type="storage",
            versions=("v1.6.0-eksbuild.1",),
            account="fsx-csi-controller-sa",
            policy=f"{_AWS_POLICY}AmazonFSxFullAccess",
        ),
        KnownAddon(
            name="aws-mountpoint-s3-csi-driver",
            type="storage",
            versions=("v2.1.0-eksbuild.1",),
            account="s3-csi-driver-sa",
            policy=f"{_AWS_POLICY}AmazonS3FullAccess",
        ),
        KnownAddon(name="snapshot-controller", type="storage", versions=("v8.3.0-eksbuild.1",)),
        KnownAddon(
            name="eks-node-monitoring-agent",
            type="observability",
            versions=("v1.4.1-eksbuild.1",),
            needs_nodes=False,
        ),
        KnownAddon(
            name="amazon-cloudwatch-observability",
            type="observability",
            versions=("v4.5.0-eksbuild.1",),
            namespace="amazon-cloudwatch",
            account="cloudwatch-agent",
            policy=f"{_AWS_POLICY}CloudWatchAgentServerPolicy",
        ),
        KnownAddon(
            name="kube-state-metrics",
            type="observability",
            versions=("v2.17.0-eksbuild.4",),
            namespace="kube-state-metrics",
            publisher="kube-state-metrics",
        ),
        KnownAddon(
            name="prometheus-node-exporter",
            type="observability",
            versions=("v1.9.1-eksbuild.4",),
            needs_nodes=False,
            namespace="prometheus-node-exporter",
            publisher="prometheus",
        ),
    )
}


def minors_of(addon: KnownAddon) -> Iterator[tuple[str, str, bool]]:
    """Yield version, minor and whether it is the minor's default, newest minors first."""
    for one in sorted(VERSIONS, key=lambda one: one.minor, reverse=True):
        for index, version in enumerate(addon.versions_for(one.minor)):
            yield version, one.minor, index == 0
