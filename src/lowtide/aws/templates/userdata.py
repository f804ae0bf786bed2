"""User data: what an instance reads at its first start to become a node of the cluster.

Why it exists: labels and taints must be on the node from kubelet start, the accelerator label included; a node that gets them later
is taken for another kind by the autoscaler in between. One module per kind of image writes the text, this one chooses and wraps it.
"""

from __future__ import annotations

from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.userdata_al2023 import al2023_text
from lowtide.aws.templates.userdata_bottlerocket import bottlerocket_text
from lowtide.aws.templates.userdata_text import CERTIFICATE, DNS, ENDPOINT, SERVICE_CIDR, unescaped
from lowtide.aws.templates.userdata_ubuntu import ubuntu_text
from lowtide.model.blueprint import Launch
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError

#: EC2 takes 16 KiB before base64 (EC2 user guide, "Run commands at launch"); the cluster's certificate is about 1.5 KiB of it.
_LIMIT_BYTES = 16 * 1024 - 2 * 1024


def user_data(cluster: ResolvedCluster, group: NodeGroup, launch: Launch) -> Any:
    """Return the UserData property of a group's launch template, None where EKS writes all of it.

    Raises:
        InputError: the group's image cannot be started as the file wants it, or the text is too long for EC2.
    """
    text = user_data_text(cluster.name, group, launch)
    if not text:
        return None
    _refuse_long(text, group)
    variables = _variables(cluster.name, text)
    needs_sub = variables or CERTIFICATE.marker in text
    return {"Fn::Base64": cfn.sub(text, variables) if needs_sub else unescaped(text)}


def user_data_parameters(
    cluster: ResolvedCluster, group: NodeGroup, launch: Launch
) -> dict[str, Resource]:
    """Return the template parameters that the user data of a group refers to."""
    text = user_data_text(cluster.name, group, launch)
    return cfn.cluster_ca_parameter(cluster.name) if CERTIFICATE.marker in text else {}


def user_data_text(cluster: str, group: NodeGroup, launch: Launch) -> str:
    """Return the text for ``Fn::Sub``, with places such as ``${ClusterEndpoint}``; empty where EKS writes all of it.

    Raises:
        InputError: the group's image cannot be started as the file wants it.
    """
    family = group.ami.family
    if family == "AmazonLinux2023":
        return al2023_text(cluster, group, launch)
    if family.startswith("Bottlerocket"):
        return bottlerocket_text(cluster, group, launch)
    if family.startswith("Ubuntu"):
        return ubuntu_text(cluster, group, launch)
    raise InputError(
        f"nodes of {family} cannot be started",
        where=f"node group {group.name} ({group.mark})",
        why="lowtide writes user data for AmazonLinux2023, Bottlerocket and Ubuntu",
        fix="write amiFamily: AmazonLinux2023",
    )


def _variables(cluster: str, text: str) -> dict[str, Any]:
    """Return what the other stacks know; the certificate is a parameter of the template, which ``Fn::Sub`` finds by itself."""
    values = {
        ENDPOINT: cfn.imported(cluster, ENDPOINT),
        SERVICE_CIDR: cfn.imported(cluster, SERVICE_CIDR),
        DNS: _dns_address(cluster),
    }
    return {str(place): value for place, value in values.items() if place.marker in text}


def _dns_address(cluster: str) -> Resource:
    """Return the tenth address of the service CIDR, which EKS gives to the cluster's DNS."""
    first_three: list[Any] = [
        {"Fn::Select": [index, {"Fn::Split": [".", cfn.imported(cluster, SERVICE_CIDR)]}]}
        for index in range(3)
    ]
    return {"Fn::Join": [".", [*first_three, "10"]]}


def _refuse_long(text: str, group: NodeGroup) -> None:
    size = len(text.encode())
    if size > _LIMIT_BYTES:
        raise InputError(
            f"user data of node group {group.name} has {size} bytes",
            where=str(group.mark),
            why=f"EC2 takes 16 KiB, which leaves {_LIMIT_BYTES} bytes beside the cluster's certificate",
            fix="fetch long preBootstrapCommands from S3 instead of writing them out",
        )
