"""Access entries: which IAM principals may use the Kubernetes API.

Why it exists: EKS keeps them beside the cluster, so they are resources of its stack. Entries of our own node roles are made
beside those roles.
"""

from __future__ import annotations

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.control_plane import CLUSTER
from lowtide.model.blueprint import AccessEntry, AccessPolicy, Blueprint
from lowtide.model.cluster import ResolvedCluster


def access_entries(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Resource]:
    """Return an access entry for each principal of the file."""
    plane = blueprint.control_plane
    ids = cfn.logical_ids(_subject(one.principal_arn) for one in plane.access_entries)
    tags = cfn.tags(cfn.cluster_tags(cluster.name, plane.tags))
    return {
        f"Access{ids[_subject(one.principal_arn)]}": {
            "Type": "AWS::EKS::AccessEntry",
            "Properties": {**_entry(one), "Tags": tags},
        }
        for one in plane.access_entries
    }


def _subject(arn: str) -> str:
    """Return account and principal, the part of an ARN that tells entries apart."""
    return ":".join(arn.split(":")[4:])


def _entry(entry: AccessEntry) -> Resource:
    properties: Resource = {
        "ClusterName": cfn.ref(CLUSTER),
        "PrincipalArn": entry.principal_arn,
        "Type": entry.type,
    }
    if entry.groups:
        properties["KubernetesGroups"] = list(entry.groups)
    if entry.username:
        properties["Username"] = entry.username
    if entry.policies:
        properties["AccessPolicies"] = [_policy(one) for one in entry.policies]
    return properties


def _policy(policy: AccessPolicy) -> Resource:
    scope: Resource = {"Type": "cluster"}
    if policy.namespaces:
        scope = {"Type": "namespace", "Namespaces": list(policy.namespaces)}
    return {"PolicyArn": policy.arn, "AccessScope": scope}
