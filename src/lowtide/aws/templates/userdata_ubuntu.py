"""User data of Canonical's EKS images: a shell script that calls their ``/etc/eks/bootstrap.sh``.

The script of the image asks EKS for what it is not told; here it is told all of it, so that a node starts without
``eks:DescribeCluster``.

What was read: Canonical's own bootstrap.sh ("a customized version of the Amazon bootstrap script", of an image before Kubernetes 1.27,
whose kubelet is the snap kubelet-eks). It takes the five flags used here, gives ``--kubelet-extra-args`` to the snap as ``args``, and
with ``--use-max-pods false`` leaves maxPods to them. eksctl at v0.230.0 calls the same path on 22.04, 24.04 and 26.04 with
``--dns-cluster-ip`` and ``--kubelet-extra-args`` (pkg/nodebootstrap, bootstrap.ubuntu.sh).

What was not: the script inside the images of 24.04 and 26.04, and so whether it takes ``--apiserver-endpoint``, ``--b64-cluster-ca``
and ``--use-max-pods`` alike. ``plan`` says so (resolve/blueprint/notes.py).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from lowtide.aws.templates.userdata_kubelet import kubelet_flags, node_labels, node_taints
from lowtide.aws.templates.userdata_text import CERTIFICATE, DNS, ENDPOINT, literal
from lowtide.model.blueprint import Launch
from lowtide.model.cluster import NodeGroup
from lowtide.model.errors import InputError

#: A file of eksctl's own user data that commands written for eksctl read.
_EKSCTL_FILES = "/var/lib/cloud/scripts/eksctl"


def ubuntu_text(cluster: str, group: NodeGroup, launch: Launch) -> str:
    """Return the script.

    Raises:
        InputError: the file wants a kubelet file, or calls eksctl's own scripts.
    """
    _refuse_kubelet_config(group, launch)
    lines = ["#!/bin/bash", "set -o errexit"]
    lines += [literal(command.rstrip("\n")) for command in launch.pre_bootstrap]
    if launch.override_bootstrap:
        _refuse_eksctl_script(group, launch.override_bootstrap)
        lines += [*_variables(cluster, group), literal(launch.override_bootstrap.rstrip("\n"))]
    else:
        lines.append(" \\\n  ".join(_bootstrap(cluster, group, launch)))
    return "\n".join(lines) + "\n"


def _bootstrap(cluster: str, group: NodeGroup, launch: Launch) -> Iterator[str]:
    flags = kubelet_flags(group)
    if launch.max_pods:
        flags.append(f"--max-pods={launch.max_pods}")
    yield f"/etc/eks/bootstrap.sh {shlex.quote(cluster)}"
    yield f"--apiserver-endpoint '{ENDPOINT.marker}'"
    yield f"--b64-cluster-ca '{CERTIFICATE.marker}'"
    yield f"--dns-cluster-ip '{launch.cluster_dns or DNS.marker}'"
    if launch.max_pods:
        yield "--use-max-pods false"
    if flags:
        yield f"--kubelet-extra-args {shlex.quote(' '.join(flags))}"


def _variables(cluster: str, group: NodeGroup) -> Iterator[str]:
    """Yield what a command of the file needs to start a node that the autoscaler recognises."""
    yield f"export CLUSTER_NAME={shlex.quote(cluster)}"
    yield f"export API_SERVER_URL='{ENDPOINT.marker}'"
    yield f"export B64_CLUSTER_CA='{CERTIFICATE.marker}'"
    yield f"export NODE_LABELS={shlex.quote(node_labels(group.labels))}"
    yield f"export NODE_TAINTS={shlex.quote(node_taints(group))}"


def _refuse_kubelet_config(group: NodeGroup, launch: Launch) -> None:
    if launch.kubelet:
        raise InputError(
            f"node group {group.name} cannot have kubeletExtraConfig",
            where=str(group.mark),
            why="Canonical's bootstrap.sh takes kubelet flags and no kubelet file",
            fix="use amiFamily: AmazonLinux2023, or write flags into an overrideBootstrapCommand",
        )


def _refuse_eksctl_script(group: NodeGroup, command: str) -> None:
    if _EKSCTL_FILES in command:
        raise InputError(
            f"overrideBootstrapCommand of node group {group.name} calls a script of eksctl",
            where=str(group.mark),
            why=f"{_EKSCTL_FILES} is written by eksctl's user data, and this is not eksctl",
            fix="call /etc/eks/bootstrap.sh with $CLUSTER_NAME, $API_SERVER_URL, $B64_CLUSTER_CA, $NODE_LABELS and $NODE_TAINTS",
        )
