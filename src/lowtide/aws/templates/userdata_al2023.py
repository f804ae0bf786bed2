"""User data of Amazon Linux 2023: a MIME document with shell scripts and NodeConfig documents for nodeadm.

Sources: awslabs/amazon-eks-ami, doc/usage/nodeadm (several NodeConfig parts are merged in their order, later values win);
EKS user guide, "Customize managed nodes with launch templates" (for its own images EKS adds cluster, labels and taints of a managed
group to what is here). Local NVMe disks stay as the image leaves them; ``overrideBootstrapCommand`` is the way to use them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lowtide.aws.templates.userdata_kubelet import boots_alone, kubelet_flags
from lowtide.aws.templates.userdata_text import (
    CERTIFICATE,
    ENDPOINT,
    SERVICE_CIDR,
    literal,
    yaml_text,
)
from lowtide.model.blueprint import Launch
from lowtide.model.cluster import NodeGroup
from lowtide.model.errors import InputError

_BOUNDARY = "lowtide-part"
_SHELL = 'text/x-shellscript; charset="utf-8"'
_NODE_CONFIG = "application/node.eks.aws"
API_VERSION, KIND = "node.eks.aws/v1alpha1", "NodeConfig"


def al2023_text(cluster: str, group: NodeGroup, launch: Launch) -> str:
    """Return the MIME document; empty for a managed group whose user data EKS writes by itself.

    Raises:
        InputError: overrideBootstrapCommand is no NodeConfig.
    """
    parts = list(_parts(cluster, group, launch))
    if not parts:
        return ""
    lines = ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{_BOUNDARY}"', ""]
    for content_type, body in parts:
        lines += [f"--{_BOUNDARY}", f"Content-Type: {content_type}", "", body.rstrip("\n"), ""]
    lines.append(f"--{_BOUNDARY}--")
    return "\n".join(lines) + "\n"


def _parts(cluster: str, group: NodeGroup, launch: Launch) -> Iterator[tuple[str, str]]:
    for command in launch.pre_bootstrap:
        shebang = "" if command.startswith("#!") else "#!/bin/bash\n"
        yield _SHELL, literal(shebang + command)
    spec = _spec(cluster, group, launch)
    if spec:
        yield _NODE_CONFIG, yaml_text({"apiVersion": API_VERSION, "kind": KIND, "spec": spec})
    if launch.override_bootstrap:
        _refuse_no_node_config(group, launch.override_bootstrap)
        yield _NODE_CONFIG, literal(launch.override_bootstrap)


def _spec(cluster: str, group: NodeGroup, launch: Launch) -> dict[str, Any]:
    kubelet: dict[str, Any] = {}
    config = _kubelet_config(launch)
    if config:
        kubelet["config"] = config
    spec: dict[str, Any] = {}
    if boots_alone(group):
        spec["cluster"] = {
            "name": cluster,
            "apiServerEndpoint": ENDPOINT,
            "certificateAuthority": CERTIFICATE,
            "cidr": SERVICE_CIDR,
        }
        kubelet["flags"] = kubelet_flags(group)
    if kubelet:
        spec["kubelet"] = kubelet
    return spec


def _kubelet_config(launch: Launch) -> dict[str, Any]:
    """Return kubeletExtraConfig with the settings that have a key of their own in the file."""
    config = dict(launch.kubelet)
    if launch.cluster_dns:
        config["clusterDNS"] = [launch.cluster_dns]
    if launch.max_pods:
        config["maxPods"] = launch.max_pods
    return config


def _refuse_no_node_config(group: NodeGroup, text: str) -> None:
    if KIND not in text:
        raise InputError(
            f"overrideBootstrapCommand of node group {group.name} is no NodeConfig",
            where=str(group.mark),
            why="AmazonLinux2023 nodes are started by nodeadm, which reads NodeConfig documents and runs no command here",
            fix=f"write a document of apiVersion {API_VERSION}, or put the script into preBootstrapCommands",
        )
