"""What the autoscaler's process is given: a kubeconfig, a cloud configuration, and who it is to AWS.

Why it exists: it acts as its pod would: in the cluster with the rights of its ServiceAccount, in AWS with the role that a pod identity
association or the ServiceAccount's annotation names. So a missing permission fails here as it does on EKS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster
from lowtide.local.autoscaler.deployed import Deployed
from lowtide.local.aws import credentials
from lowtide.local.aws.box import Box
from lowtide.local.controlplane.private_files import write_private

#: The services whose endpoint the upstream provider takes from its cloud configuration (aws_cloud_provider.go at 1.36.1).
SERVICES = ("autoscaling", "ec2", "eks")
#: IAM roles for service accounts (EKS user guide).
_ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
#: The token dies with its pod; until then it is good for this long.
_TOKEN_S = 365 * 24 * 3600
_SESSION = "cluster-autoscaler"


def write_cloud_config(file: Path, *, region: str, url: str) -> Path:
    """Write the file of ``--cloud-config``, by which the provider finds our AWS."""
    sections = ["[Global]"]
    for number, service in enumerate(SERVICES, start=1):
        sections += [
            f'[ServiceOverride "{number}"]',
            f"Service = {service}",
            f"Region = {region}",
            f"URL = {url}",
            f"SigningRegion = {region}",
        ]
    return write_private(file, "\n".join(sections) + "\n")


def write_kubeconfig(file: Path, *, admin: Path, cluster: Cluster, one: Deployed) -> Path:
    """Write a kubeconfig with a token of the pod's ServiceAccount.

    Raises:
        KubernetesError: the API server refused, or cannot be reached.
    """
    pod = {"name": one.pod, "uid": one.uid}
    token = cluster.token(one.namespace, one.account, lifetime_s=_TOKEN_S, pod=pod)
    document = json.loads(admin.read_text(encoding="utf-8"))
    document["users"] = [{**document["users"][0], "user": {"token": token}}]
    return write_private(file, json.dumps(document, indent=1))


def aws_environment(
    box: Box, *, region: str, cluster_name: str, cluster: Cluster, one: Deployed
) -> Mapping[str, str]:
    """Return the variables by which AWS's clients know who they are.

    A pod without a role would have the rights of its node; here it has the administrator's.

    Raises:
        KubernetesError: the API server refused, or cannot be reached.
        AwsError: EKS refused (a fault, for one).
    """
    role = _associated_role(box, region, cluster_name, one) or _annotated_role(cluster, one)
    key = credentials.issue(box, role, session=_SESSION) if role else credentials.admin(box)
    return {**key.environment(region), "AWS_EC2_METADATA_DISABLED": "true"}


def _associated_role(box: Box, region: str, cluster_name: str, one: Deployed) -> str:
    asked: dict[str, Any] = {
        "clusterName": cluster_name,
        "namespace": one.namespace,
        "serviceAccount": one.account,
    }
    listed = box.call("eks", "ListPodIdentityAssociations", asked, region=region)
    for association in listed["associations"]:
        which = {"clusterName": cluster_name, "associationId": association["associationId"]}
        found = box.call("eks", "DescribePodIdentityAssociation", which, region=region)
        return str(found["association"]["roleArn"])
    return ""


def _annotated_role(cluster: Cluster, one: Deployed) -> str:
    found = cluster.get(kinds.SERVICE_ACCOUNT, one.account, one.namespace) or {}
    annotations = found.get("metadata", {}).get("annotations") or {}
    return str(annotations.get(_ROLE_ANNOTATION, ""))
