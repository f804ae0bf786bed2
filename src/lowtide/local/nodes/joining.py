"""Whether a cluster lets an instance in as a node.

Why it exists: a node that never joins is among the most common faults on EKS, and its causes are these: another cluster's name or
address, no instance profile, no access entry (or line in aws-auth) for its role. The kubelet tries again for ever, so a node
joins once the cause is gone.

Sources: EKS user guide, "Grant IAM users access to Kubernetes" (entries of type EC2_LINUX; authentication modes; aws-auth),
"Troubleshoot problems with Amazon EKS clusters and nodes" (nodes fail to join); kubernetes-sigs/aws-iam-authenticator
(an assumed role is looked up in mapRoles without its path).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.access_entries import entry_of, uses_entries
from lowtide.local.aws.eks.planes_port import Key
from lowtide.local.aws.eks.state import Cluster, find
from lowtide.local.nodes.booted import Booted

_ENTRY_TYPES = ("EC2_LINUX",)
_NODES = "system:nodes"
_NODE_USER = "system:node:"
_PATH = re.compile(r"(:role/).*/")

#: Returns the object aws-auth of kube-system as it is now, None where there is none.
AwsAuth = Callable[[], Mapping[str, Any] | None]


def cluster_key(box: Box, region: str, booted: Booted) -> Key | None:
    """Return the cluster of that name in the instance's region, None where there is none."""
    with box.lock:
        return (region, booted.cluster) if find(box, region, booted.cluster) else None


def why_not(box: Box, key: Key, booted: Booted, role_arn: str, aws_auth: AwsAuth) -> str:
    """Return why the API server would not let the kubelet in now; empty where it does.

    Raises:
        KubernetesError: aws-auth cannot be read.
    """
    region, name = key
    with box.lock:
        cluster = find(box, region, name)
        if cluster is None:
            return f"there is no cluster {name}"
        why = _unreachable(cluster, booted)
        if why:
            return why
        if not role_arn:
            return "the instance has no role: its launch template names no instance profile"
        if uses_entries(cluster) and _has_entry(cluster, role_arn):
            return ""
        mode = cluster.described["accessConfig"]["authenticationMode"]
    if mode != "API" and is_mapped(aws_auth(), role_arn):
        return ""
    return f"Unauthorized: {role_arn} has no access entry of type EC2_LINUX{'' if mode == 'API' else ' and no line in aws-auth'}"


def is_mapped(config_map: Mapping[str, Any] | None, role_arn: str) -> bool:
    """Return whether aws-auth's mapRoles makes a role a node. What is no list of objects maps nothing, as on EKS."""
    text = ((config_map or {}).get("data") or {}).get("mapRoles") or ""
    try:
        rows = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    wanted = _PATH.sub(r"\1", role_arn).lower()
    return any(
        str(row.get("rolearn", "")).lower() == wanted
        and str(row.get("username", "")).startswith(_NODE_USER)
        and _NODES in (row.get("groups") or [])
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, Mapping)
    )


def _unreachable(cluster: Cluster, booted: Booted) -> str:
    """Say where the kubelet looks for another API server than the cluster's; what it was not told it asks EKS."""
    endpoint = cluster.described.get("endpoint", "")
    if booted.endpoint and booted.endpoint.rstrip("/") != endpoint:
        return f"{booted.endpoint} is not the cluster's endpoint {endpoint}"
    authority = cluster.described.get("certificateAuthority", {}).get("data", "")
    if booted.authority and booted.authority != authority:
        return "x509: certificate signed by unknown authority"
    return ""


def _has_entry(cluster: Cluster, role_arn: str) -> bool:
    entry = entry_of(cluster, role_arn)
    return entry is not None and entry.described["type"] in _ENTRY_TYPES
