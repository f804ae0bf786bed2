"""EKS add-ons with the roles of their service accounts.

Why it exists: an add-on whose pods need a node never becomes ACTIVE without one, and a stack that holds it would fail
(DESIGN.md, fact 15). So those come in a stack of their own after the general group, the others with the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.identity import Home, role
from lowtide.model.blueprint import IRSA, POD_IDENTITY, Addon, Blueprint
from lowtide.model.cluster import ResolvedCluster

AGENT = "eks-pod-identity-agent"


def addons(
    cluster: ResolvedCluster, blueprint: Blueprint, wanted: Iterable[Addon], home: Home
) -> dict[str, Resource]:
    """Return add-ons and their roles, for a stack that refers to the cluster as ``home`` says.

    Raises:
        InputError: a well-known policy that lowtide does not have.
    """
    wanted = tuple(wanted)
    has_agent = any(one.name == AGENT for one in wanted)
    parts: list[dict[str, Resource]] = []
    for one in wanted:
        ids = _role_ids(one)
        parts.append(
            {
                ids[account.name]: role(cluster, blueprint, account, home)
                for account in one.identities
                if not account.role_arn
            }
        )
        whole = _addon(cluster, blueprint, one, home)
        if has_agent and "PodIdentityAssociations" in whole["Properties"]:
            whole = {"Type": whole["Type"], "DependsOn": _logical(AGENT), **whole}
        parts.append({_logical(one.name): whole})
    return cfn.joined(*parts)


def _addon(cluster: ResolvedCluster, blueprint: Blueprint, addon: Addon, home: Home) -> Resource:
    tags = cfn.cluster_tags(cluster.name, blueprint.control_plane.tags, addon.tags)
    return {
        "Type": "AWS::EKS::Addon",
        "Properties": {
            "AddonName": addon.name,
            "ClusterName": home.cluster_name,
            **_options(addon),
            **_roles(addon),
            "Tags": cfn.tags(tags),
        },
    }


def _logical(name: str) -> str:
    return f"Addon{cfn.logical(name)}"


def _role_ids(addon: Addon) -> dict[str, str]:
    """Return the logical id of the role of each service account; those of an add-on share a namespace."""
    ids = cfn.logical_ids(one.name for one in addon.identities)
    return {name: f"{_logical(addon.name)}Role{key}" for name, key in ids.items()}


def _options(addon: Addon) -> Resource:
    given: dict[str, Any] = {
        "AddonVersion": addon.version,
        "ConfigurationValues": addon.configuration,
        "NamespaceConfig": {"Namespace": addon.namespace} if addon.namespace else None,
        "ResolveConflicts": addon.resolve_conflicts.upper(),
    }
    return {key: value for key, value in given.items() if value}


def _roles(addon: Addon) -> Resource:
    """An IRSA role goes to the add-on itself, pod identities are listed with their service accounts."""
    ids = _role_ids(addon)
    arns = {one.name: one.role_arn or cfn.get_att(ids[one.name], "Arn") for one in addon.identities}
    by_oidc = [arns[one.name] for one in addon.identities if one.kind == IRSA]
    by_agent = [
        {"RoleArn": arns[one.name], "ServiceAccount": one.name}
        for one in addon.identities
        if one.kind == POD_IDENTITY
    ]
    properties: Resource = {}
    if addon.role_arn or by_oidc:
        properties["ServiceAccountRoleArn"] = addon.role_arn or by_oidc[0]
    if by_agent:
        properties["PodIdentityAssociations"] = by_agent
    return properties
