"""Access entries: which IAM principal is who in Kubernetes (EKS user guide, "Grant IAM users access to Kubernetes").

Why it exists: entries decide what a token means; CloudFormation makes them for nodes and people.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks import access_policies
from lowtide.local.aws.eks.paging import page
from lowtide.local.aws.eks.planes_port import cluster_objects
from lowtide.local.aws.eks.refusals import in_use, invalid_parameter, invalid_request, not_found
from lowtide.local.aws.eks.state import AccessEntry, Cluster, cluster_of
from lowtide.local.aws.service import Call, Caller

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

STANDARD = "STANDARD"
_LINUX = "EC2_LINUX"
_TYPES = frozenset(
    {STANDARD, _LINUX, "EC2_WINDOWS", "EC2", "FARGATE_LINUX", "HYBRID_LINUX", "HYPERPOD_LINUX"}
)
_NODE_USER = "system:node:{{EC2PrivateDNSName}}"
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)")
_SESSION = re.compile(r"(arn:aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/(.+)")
_NODE_NAMES = re.compile(r"system:node:.*|system:.*|eks:.*|aws:.*|amazon:.*|iam:.*")


def create_access_entry(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateAccessEntry."""
    cluster, params = _usable(box, call), call.params
    arn, kind = params["principalArn"], params.get("type", STANDARD)
    if not _PRINCIPAL.fullmatch(arn):
        raise invalid_parameter("The specified principalArn is invalid: invalid principal.")
    if kind not in _TYPES:
        raise invalid_parameter(f"The specified type is invalid: {kind}.")
    if kind != STANDARD and (params.get("kubernetesGroups") or params.get("username")):
        raise invalid_parameter(
            f"The kubernetesGroups and username fields cannot be specified for entries of type {kind}."
        )
    if arn in cluster.entries:
        raise in_use("The specified access entry resource is already in use on this cluster.")
    entry = _entry(box, cluster, arn, kind)
    entry.described |= {
        "kubernetesGroups": _checked_groups(
            params.get("kubernetesGroups", entry.described["kubernetesGroups"]), kind
        ),
        "username": params.get("username") or entry.described["username"],
        "tags": dict(params.get("tags", {})),
    }
    cluster.entries[arn] = entry
    return {"accessEntry": copy.deepcopy(entry.described)}


def describe_access_entry(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeAccessEntry."""
    return {"accessEntry": copy.deepcopy(_found(box, call)[1].described)}


def list_access_entries(box: Box, call: Call) -> Mapping[str, Any]:
    """ListAccessEntries."""
    cluster, policy = _usable(box, call), call.params.get("associatedPolicyArn")
    arns = [arn for arn, one in cluster.entries.items() if not policy or policy in one.policies]
    return page(arns, call.params, key="accessEntries")


def update_access_entry(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdateAccessEntry."""
    _, entry = _found(box, call)
    if entry.described["type"] != STANDARD:
        raise invalid_request("Only access entries of type STANDARD can be updated.")
    if "kubernetesGroups" in call.params:
        groups = call.params["kubernetesGroups"]
        entry.described["kubernetesGroups"] = _checked_groups(groups, STANDARD)
    if call.params.get("username"):
        entry.described["username"] = call.params["username"]
    entry.described["modifiedAt"] = box.now()
    return {"accessEntry": copy.deepcopy(entry.described)}


def delete_access_entry(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteAccessEntry."""
    cluster, entry = _found(box, call)
    del cluster.entries[entry.described["principalArn"]]
    return {}


def associate_access_policy(box: Box, call: Call) -> Mapping[str, Any]:
    """AssociateAccessPolicy; the RBAC objects of the policy are put into the cluster."""
    cluster, entry = _found(box, call)
    params, arn = call.params, call.params["policyArn"]
    if entry.described["type"] != STANDARD:
        raise invalid_request(
            "Access policies can be associated with STANDARD access entries only."
        )
    if arn not in access_policies.POLICIES.values():
        raise not_found(
            "The specified policyArn could not be found. You can view available policies with"
            " 'list-access-policies'."
        )
    scope = params["accessScope"]
    if (scope.get("type") == "namespace") != bool(scope.get("namespaces")):
        raise invalid_parameter("namespaces must be specified for the scope type namespace only.")
    now = box.now()
    before = entry.policies.get(arn, {})
    entry.policies[arn] = {
        "policyArn": arn,
        "accessScope": {"namespaces": [], **scope},
        "associatedAt": before.get("associatedAt", now),
        "modifiedAt": now,
    }
    apply_policies(box, cluster, entry)
    return {
        "clusterName": cluster.name,
        "principalArn": entry.described["principalArn"],
        "associatedAccessPolicy": copy.deepcopy(entry.policies[arn]),
    }


def disassociate_access_policy(box: Box, call: Call) -> Mapping[str, Any]:
    """DisassociateAccessPolicy; the user loses the group, and the binding of the group may stay."""
    _, entry = _found(box, call)
    if entry.policies.pop(call.params["policyArn"], None) is None:
        raise not_found("The specified policyArn is not associated with the access entry.")
    return {}


def list_associated_access_policies(box: Box, call: Call) -> Mapping[str, Any]:
    """ListAssociatedAccessPolicies."""
    cluster, entry = _found(box, call)
    policies = copy.deepcopy(list(entry.policies.values()))
    names = {"clusterName": cluster.name, "principalArn": entry.described["principalArn"]}
    return {**names, **page(policies, call.params, key="associatedAccessPolicies")}


def list_access_policies(box: Box, call: Call) -> Mapping[str, Any]:  # noqa: ARG001 - an operation's signature
    """ListAccessPolicies."""
    known = [{"name": name, "arn": arn} for name, arn in access_policies.POLICIES.items()]
    return page(known, call.params, key="accessPolicies")


def admit_creator(box: Box, cluster: Cluster, caller: Caller) -> None:
    """Make the cluster's creator its administrator, unless CreateCluster said otherwise."""
    if not cluster.described["accessConfig"]["bootstrapClusterCreatorAdminPermissions"]:
        return
    arn = principal_of(caller.arn)
    if not _PRINCIPAL.fullmatch(arn):
        return
    entry = _entry(box, cluster, arn, STANDARD)
    now = box.now()
    entry.policies[access_policies.CLUSTER_ADMIN] = {
        "policyArn": access_policies.CLUSTER_ADMIN,
        "accessScope": {"type": "cluster", "namespaces": []},
        "associatedAt": now,
        "modifiedAt": now,
    }
    cluster.entries[arn] = entry


def admit_nodes(box: Box, cluster: Cluster, role_arn: str) -> None:
    """Make the entry that EKS makes for the role of a managed node group."""
    if uses_entries(cluster) and role_arn not in cluster.entries:
        cluster.entries[role_arn] = _entry(box, cluster, role_arn, _LINUX)


def uses_entries(cluster: Cluster) -> bool:
    """Return whether the cluster's authentication mode knows access entries."""
    mode: str = cluster.described["accessConfig"]["authenticationMode"]
    return mode != "CONFIG_MAP"


def apply_policies(box: Box, cluster: Cluster, *entries: AccessEntry) -> None:
    """Put the RBAC objects of the entries' policies into the cluster, once it has a control plane."""
    port = cluster_objects(box)
    policies = [policy for one in entries for policy in one.policies.values()]
    wanted = access_policies.objects(policies)
    if port is not None and cluster.up and wanted:
        port.apply(cluster.key, wanted)


def principal_of(arn: str) -> str:
    """Return the IAM principal behind a caller: of a session its role, without the role's path as STS gives none."""
    session = _SESSION.fullmatch(arn)
    if session is None:
        return arn
    return f"{session[1]}:iam::{session[2]}:role/{session[3]}"


def entry_of(cluster: Cluster, caller_arn: str) -> AccessEntry | None:
    """Return the entry of a caller; a role's path is not compared, for a session does not tell it."""
    wanted = _without_path(principal_of(caller_arn))
    found = (one for arn, one in cluster.entries.items() if _without_path(arn) == wanted)
    return next(found, None)


def _without_path(arn: str) -> str:
    principal = _PRINCIPAL.fullmatch(arn)
    return arn if principal is None else "/".join(principal.groups())


def _usable(box: Box, call: Call) -> Cluster:
    cluster = cluster_of(box, call)
    if not uses_entries(cluster):
        raise invalid_request(
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
            clusterName=cluster.name,
        )
    return cluster


def _found(box: Box, call: Call) -> tuple[Cluster, AccessEntry]:
    cluster = _usable(box, call)
    entry = cluster.entries.get(call.params["principalArn"])
    if entry is None:
        raise not_found(
            "The specified principalArn could not be found. You can view your available access entries with"
            " 'list-access-entries'.",
            clusterName=cluster.name,
        )
    return cluster, entry


def _entry(box: Box, cluster: Cluster, arn: str, kind: str) -> AccessEntry:
    """Return an entry with EKS's own user name and groups for its type."""
    principal = _PRINCIPAL.fullmatch(arn)
    assert principal is not None
    account, what, name = principal.groups()
    user = (
        arn if what == "user" else f"arn:aws:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}"
    )
    is_node = kind != STANDARD
    now = box.now()
    region, owner = cluster.region, box.settings.account
    return AccessEntry(
        described={
            "clusterName": cluster.name,
            "principalArn": arn,
            "kubernetesGroups": ["system:nodes"] if is_node else [],
            "accessEntryArn": f"arn:aws:eks:{region}:{owner}:access-entry/{cluster.name}/{what}/{account}/{name}/{uuid.uuid4()}",
            "createdAt": now,
            "modifiedAt": now,
            "tags": {},
            "username": _NODE_USER if is_node else user,
            "type": kind,
        }
    )


def _checked_groups(groups: list[str], kind: str) -> list[str]:
    """Refuse the groups that EKS keeps for itself."""
    for one in groups if kind == STANDARD else []:
        if _NODE_NAMES.fullmatch(one):
            raise invalid_parameter(
                f"The kubernetes group name {one} is invalid, it cannot start with system:"
            )
    return list(groups)


OPERATIONS = {
    "CreateAccessEntry": create_access_entry,
    "DescribeAccessEntry": describe_access_entry,
    "ListAccessEntries": list_access_entries,
    "UpdateAccessEntry": update_access_entry,
    "DeleteAccessEntry": delete_access_entry,
    "AssociateAccessPolicy": associate_access_policy,
    "DisassociateAccessPolicy": disassociate_access_policy,
    "ListAssociatedAccessPolicies": list_associated_access_policies,
    "ListAccessPolicies": list_access_policies,
}
