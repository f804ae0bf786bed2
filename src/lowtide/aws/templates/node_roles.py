"""Roles of nodes: one for all groups that want the same, with its instance profile and its access entry.

Why it exists: a role for each group multiplies what must be audited without keeping anything apart. Managed groups have roles of
their own: when the last managed group of a role goes, EKS deletes the role's access entry, and with it the way in of every
self-managed node that shares it (EKS user guide, "Delete a managed node group").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.control_plane import CLUSTER
from lowtide.aws.templates.policies import role_permissions
from lowtide.model.blueprint import Blueprint, NodeRole
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError

#: What every node needs: to join, to pull images, and a shell without SSH.
_DEFAULT_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
)
_PULL_POLICY = "AmazonEC2ContainerRegistryPullOnly"
_CNI_POLICY = "AmazonEKS_CNI_Policy"
#: Keys of iam.withAddonPolicies to well-known policies, and to policies that AWS keeps.
_WELL_KNOWN = {
    "albIngress": "awsLoadBalancerController",
    "ebs": "ebsCSIController",
    "efs": "efsCSIController",
}
_AWS_POLICIES = {
    "cloudWatch": "CloudWatchAgentServerPolicy",
    "fsx": "AmazonFSxFullAccess",
    "xRay": "AWSXRayDaemonWriteAccess",
}
_GONE = frozenset({"appMesh", "appMeshPreview"})


def node_roles(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> tuple[dict[str, Resource], dict[str, Any]]:
    """Return resources and outputs of the node roles, for the cluster's stack.

    Raises:
        InputError: a given profile without its role, or a policy that is not available.
    """
    resources: dict[str, Resource] = {}
    outputs: dict[str, Any] = {}
    # EKS has one access entry for a principal.
    entered = {one.principal_arn for one in blueprint.control_plane.access_entries}
    named: set[str] = set()
    for kind, group in _kinds(cluster, blueprint).items():
        role = blueprint.launch(group.name).role
        _refuse_lone_profile(role, group)
        _refuse_name_twice(named, role, group)
        resources |= _resources(cluster, blueprint, kind, group)
        if _needs_access_entry(blueprint, group) and role.role_arn not in entered:
            resources[f"NodeAccess{kind}"] = _access_entry(cluster, blueprint, role, kind)
            entered |= {role.role_arn} - {""}
        role_arn = role.role_arn or cfn.get_att(f"NodeRole{kind}", "Arn")
        outputs |= _output(cluster, f"NodeRole{kind}Arn", role_arn, "Role of the nodes")
        if not group.managed:
            profile = role.profile_arn or cfn.get_att(f"NodeProfile{kind}", "Arn")
            text = "Instance profile of the nodes"
            outputs |= _output(cluster, f"NodeProfile{kind}Arn", profile, text)
    return resources, outputs


def role_kind(blueprint: Blueprint, group: NodeGroup) -> str:
    """Return what stands for a group's role in logical ids and export names.

    It depends on the role alone, so that it stays when other groups come and go: ``Standard``, the addon policies' names,
    or a digest of all that the file says.
    """
    role = blueprint.launch(group.name).role
    plain = NodeRole(addon_policies=role.addon_policies)
    words = "And".join(cfn.logical(key) for key in sorted(role.addon_policies)) or "Standard"
    name = (
        words
        if role == plain
        else "Own" + cfn.digest(json.dumps(asdict(role), sort_keys=True, default=str))
    )
    return f"Managed{name}" if group.managed else name


def _kinds(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, NodeGroup]:
    """Return a group of each kind, the first of the file."""
    found: dict[str, NodeGroup] = {}
    for group in cluster.node_groups:
        found.setdefault(role_kind(blueprint, group), group)
    return found


def _output(cluster: ResolvedCluster, key: str, value: Any, text: str) -> dict[str, Any]:
    return {key: cfn.output(value, text, cfn.export_name(cluster.name, key))}


def _resources(
    cluster: ResolvedCluster, blueprint: Blueprint, kind: str, group: NodeGroup
) -> dict[str, Resource]:
    role = blueprint.launch(group.name).role
    resources: dict[str, Resource] = {}
    if not role.role_arn:
        resources[f"NodeRole{kind}"] = _role(cluster, blueprint, group)
    if not (group.managed or role.profile_arn):
        resources[f"NodeProfile{kind}"] = _profile(role, kind)
    return resources


def _needs_access_entry(blueprint: Blueprint, group: NodeGroup) -> bool:
    """For the role of a managed group EKS makes it."""
    return not group.managed and blueprint.control_plane.authentication_mode != "CONFIG_MAP"


def _role(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> Resource:
    role = blueprint.launch(group.name).role
    _refuse_gone(role, group)
    addons = [key for key in role.addon_policies if key not in _AWS_POLICIES]
    permissions = replace(
        role.permissions,
        well_known=(*(_WELL_KNOWN.get(key, key) for key in addons), *role.permissions.well_known),
    )
    granted = role_permissions(cluster.name, permissions)
    ours = _policies(blueprint, role)
    given = [one for one in granted.pop("ManagedPolicyArns", []) if _aws_name(one) not in ours]
    policies = [*map(cfn.aws_policy, ours), *given]
    properties: Resource = {
        "AssumeRolePolicyDocument": cfn.trust({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole"),
        "ManagedPolicyArns": policies,
        **granted,
        "Tags": cfn.tags(cfn.cluster_tags(cluster.name, blueprint.control_plane.tags)),
    }
    if role.role_name:
        properties["RoleName"] = role.role_name
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _aws_name(arn: Any) -> str:
    """Return the name of an AWS managed policy that the file gives by its ARN, empty for any other."""
    return arn.partition("::aws:policy/")[2] if isinstance(arn, str) else ""


def _policies(blueprint: Blueprint, role: NodeRole) -> list[str]:
    """Return AWS's policies of a role; attachPolicyARNs of the file replace the default ones but for pulling images."""
    names = [_PULL_POLICY] if role.replaces_defaults else list(_DEFAULT_POLICIES)
    if not role.replaces_defaults and not cni_has_identity(blueprint):
        names.append(_CNI_POLICY)
    return names + [_AWS_POLICIES[key] for key in role.addon_policies if key in _AWS_POLICIES]


def cni_has_identity(blueprint: Blueprint) -> bool:
    """Return whether the CNI's pods have permissions of their own, so that nodes need none for it."""
    found = [one for one in blueprint.addons if one.name == "vpc-cni"]
    return any(one.role_arn or one.identities for one in found)


def _profile(role: NodeRole, kind: str) -> Resource:
    # An ARN has the role's path before its name; the profile wants the name.
    name: Any = role.role_arn.rpartition("/")[2] if role.role_arn else cfn.ref(f"NodeRole{kind}")
    return {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [name]}}


def _access_entry(
    cluster: ResolvedCluster, blueprint: Blueprint, role: NodeRole, kind: str
) -> Resource:
    return {
        "Type": "AWS::EKS::AccessEntry",
        "Properties": {
            "ClusterName": cfn.ref(CLUSTER),
            "PrincipalArn": role.role_arn or cfn.get_att(f"NodeRole{kind}", "Arn"),
            "Tags": cfn.tags(cfn.cluster_tags(cluster.name, blueprint.control_plane.tags)),
            "Type": "EC2_LINUX",
        },
    }


def _refuse_lone_profile(role: NodeRole, group: NodeGroup) -> None:
    if role.profile_arn and not role.role_arn:
        raise InputError(
            f"node group {group.name} names an instance profile without its role",
            where=str(group.mark),
            why="nodes join by an access entry of their role, and a profile's role is known to IAM alone",
            fix="add iam.instanceRoleARN: aws iam get-instance-profile --query 'InstanceProfile.Roles[0].Arn'"
            f" --output text --instance-profile-name {role.profile_arn.rpartition('/')[2]}",
        )


def _refuse_name_twice(named: set[str], role: NodeRole, group: NodeGroup) -> None:
    """Equal roles of managed and self-managed groups are two, and IAM has one of a name."""
    if role.role_name in named:
        raise InputError(
            f"node group {group.name} cannot have a role named {role.role_name}",
            where=str(group.mark),
            why="another group has it, and managed and self-managed groups must not share a role",
            fix="write another iam.instanceRoleName, or leave it out",
        )
    named |= {role.role_name} - {""}


def _refuse_gone(role: NodeRole, group: NodeGroup) -> None:
    gone: Mapping[str, None] = dict.fromkeys(key for key in role.addon_policies if key in _GONE)
    if gone:
        raise InputError(
            f"node group {group.name} asks for iam.withAddonPolicies.{next(iter(gone))}",
            where=str(group.mark),
            why="AWS ended App Mesh on 2026-09-30",
            fix="remove it",
        )
