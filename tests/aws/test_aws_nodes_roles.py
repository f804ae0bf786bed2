"""Roles of nodes: how many there are, what they may do, and how their nodes get in."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lowtide.aws.templates.node_roles import node_roles, role_kind
from lowtide.model.blueprint import AccessEntry, Addon, Blueprint, NodeRole, Permissions
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError
from tests.aws.example_cluster import (
    make_blueprint,
    make_cluster,
    make_group,
    with_control_plane,
)

_ROLE = "arn:aws:iam::123456789012:role/path/mine"
_PROFILE = "arn:aws:iam::123456789012:instance-profile/mine"


def _example(*roles: NodeRole, managed: bool = False) -> tuple[ResolvedCluster, Blueprint]:
    """A cluster with a group for each role."""
    groups = [
        replace(make_group(f"gpu-{number}", "us-east-1a", gpu=True), managed=managed)
        for number, _ in enumerate(roles)
    ]
    cluster = make_cluster(*groups)
    plan = make_blueprint(cluster)
    launches = [replace(one, role=role) for one, role in zip(plan.launches, roles, strict=True)]
    return cluster, replace(plan, launches=tuple(launches))


def _resources(*roles: NodeRole, managed: bool = False) -> dict[str, Any]:
    return node_roles(*_example(*roles, managed=managed))[0]


def _policies(resource: dict[str, Any]) -> list[str]:
    arns = resource["Properties"]["ManagedPolicyArns"]
    texts = [one["Fn::Sub"] if isinstance(one, dict) else one for one in arns]
    return [one.rpartition("/")[2] for one in texts]


def _types(resources: dict[str, Any]) -> list[str]:
    return [one["Type"].rpartition("::")[2] for one in resources.values()]


def test_groups_that_want_the_same_share_one_role(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    resources, outputs = node_roles(cluster, blueprint)
    assert len(cluster.node_groups) == 4
    assert list(resources) == ["NodeRoleStandard", "NodeProfileStandard", "NodeAccessStandard"]
    exports = {key: one["Export"]["Name"] for key, one in outputs.items()}
    assert exports == {
        "NodeRoleStandardArn": "lowtide-example-NodeRoleStandardArn",
        "NodeProfileStandardArn": "lowtide-example-NodeProfileStandardArn",
    }


def test_groups_that_want_other_things_have_other_roles() -> None:
    resources = _resources(NodeRole(), NodeRole(addon_policies=("imageBuilder",)), NodeRole())
    assert [key for key in resources if key.startswith("NodeRole")] == [
        "NodeRoleStandard",
        "NodeRoleImageBuilder",
    ]


def test_nodes_join_by_an_access_entry_of_their_role() -> None:
    entry = _resources(NodeRole())["NodeAccessStandard"]["Properties"]
    assert entry["Type"] == "EC2_LINUX"
    assert entry["PrincipalArn"] == {"Fn::GetAtt": ["NodeRoleStandard", "Arn"]}
    assert entry["ClusterName"] == {"Ref": "Cluster"}


def test_a_cluster_of_config_maps_has_no_access_entry() -> None:
    cluster, plan = _example(NodeRole())
    old = with_control_plane(plan, authentication_mode="CONFIG_MAP")
    assert _types(node_roles(cluster, old)[0]) == ["Role", "InstanceProfile"]


def test_nodes_may_join_pull_images_and_be_reached_without_ssh() -> None:
    assert _policies(_resources(NodeRole())["NodeRoleStandard"]) == [
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonSSMManagedInstanceCore",
    ]


def test_nodes_may_manage_addresses_only_where_the_cni_cannot() -> None:
    cluster, plan = _example(NodeRole())
    bare = replace(plan, addons=(Addon(name="vpc-cni", needs_nodes=False),))
    policies = _policies(node_roles(cluster, bare)[0]["NodeRoleStandard"])
    assert policies[-1] == "AmazonEKS_CNI_Policy"
    own_role = replace(plan, addons=(replace(bare.addons[0], role_arn=_ROLE),))
    assert "AmazonEKS_CNI_Policy" not in _policies(
        node_roles(cluster, own_role)[0]["NodeRoleStandard"]
    )


def test_addon_policies_are_those_that_aws_keeps_where_there_is_one() -> None:
    role = NodeRole(addon_policies=("ebs", "efs", "fsx", "xRay", "cloudWatch", "imageBuilder"))
    (key,) = [key for key in _resources(role) if key.startswith("NodeRole")]
    assert key == "NodeRoleCloudWatchAndEbsAndEfsAndFsxAndImageBuilderAndXRay"
    assert set(_policies(_resources(role)[key])[3:]) == {
        "AmazonEBSCSIDriverPolicy",
        "AmazonEFSCSIDriverPolicy",
        "AmazonFSxFullAccess",
        "AWSXRayDaemonWriteAccess",
        "CloudWatchAgentServerPolicy",
        "AmazonEC2ContainerRegistryPowerUser",
    }


@pytest.mark.parametrize("key", ["autoScaler", "externalDNS", "certManager"])
def test_no_addon_policy_writes_on_everything(key: str) -> None:
    reading = ("Describe", "Get", "List")
    for one in _resources(NodeRole(addon_policies=(key,))).values():
        for policy in one["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                verbs = [action.split(":")[1] for action in statement["Action"]]
                reads = all(verb.startswith(reading) for verb in verbs)
                assert reads or statement["Resource"] != "*"


def test_the_autoscalers_policy_on_nodes_writes_on_this_clusters_groups_alone() -> None:
    role = _resources(NodeRole(addon_policies=("autoScaler",)))["NodeRoleAutoScaler"]
    assert "autoscaling:SetDesiredCapacity" in json.dumps(role)
    assert "k8s.io/cluster-autoscaler/example" in json.dumps(role)


@pytest.mark.parametrize("key", ["appMesh", "appMeshPreview", "awsLoadBalancerController"])
def test_an_addon_policy_that_cannot_be_had_is_refused(key: str) -> None:
    with pytest.raises(InputError) as caught:
        _resources(NodeRole(addon_policies=(key,)))
    assert caught.value.fix


def test_policies_of_the_file_replace_the_default_ones_but_for_pulling() -> None:
    arns = (
        "arn:aws:iam::123456789012:policy/mine",
        "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
    )
    role = NodeRole(permissions=Permissions(policy_arns=arns), replaces_defaults=True)
    resources = _resources(role)
    (key,) = [key for key in resources if key.startswith("NodeRole")]
    assert _policies(resources[key]) == ["AmazonEC2ContainerRegistryPullOnly", "mine"]


def test_document_boundary_and_name_of_the_file_are_on_the_role() -> None:
    document = {"Version": "2012-10-17", "Statement": []}
    boundary = "arn:aws:iam::123456789012:policy/limit"
    role = NodeRole(
        role_name="nodes", permissions=Permissions(document=document, boundary_arn=boundary)
    )
    resources = _resources(role)
    (key,) = [key for key in resources if key.startswith("NodeRole")]
    properties = resources[key]["Properties"]
    assert properties["RoleName"] == "nodes"
    assert properties["PermissionsBoundary"] == boundary
    assert [one["PolicyDocument"] for one in properties["Policies"]] == [document]


def test_a_role_of_the_files_gets_a_profile_and_an_access_entry() -> None:
    cluster, plan = _example(NodeRole(role_arn=_ROLE))
    resources, outputs = node_roles(cluster, plan)
    assert _types(resources) == ["InstanceProfile", "AccessEntry"]
    profile, entry = resources.values()
    assert profile["Properties"]["Roles"] == ["mine"]
    assert entry["Properties"]["PrincipalArn"] == _ROLE
    assert next(one["Value"] for one in outputs.values()) == _ROLE


def test_a_profile_of_the_files_is_used_with_its_role() -> None:
    cluster, plan = _example(NodeRole(role_arn=_ROLE, profile_arn=_PROFILE))
    resources, outputs = node_roles(cluster, plan)
    assert _types(resources) == ["AccessEntry"]
    assert [one["Value"] for one in outputs.values()] == [_ROLE, _PROFILE]


def test_a_profile_without_its_role_is_refused_with_the_command_that_finds_it() -> None:
    with pytest.raises(InputError, match="without its role") as caught:
        _resources(NodeRole(profile_arn=_PROFILE))
    assert "--instance-profile-name mine" in caught.value.fix


def test_a_principal_has_one_access_entry() -> None:
    both = _resources(NodeRole(role_arn=_ROLE), NodeRole(role_arn=_ROLE, profile_arn=_PROFILE))
    assert _types(both).count("AccessEntry") == 1
    cluster, plan = _example(NodeRole(role_arn=_ROLE))
    entered = with_control_plane(plan, access_entries=(AccessEntry(principal_arn=_ROLE),))
    assert _types(node_roles(cluster, entered)[0]) == ["InstanceProfile"]


def test_managed_groups_have_a_role_of_their_own_and_the_rest_from_eks() -> None:
    cluster, plan = _example(NodeRole(), managed=True)
    resources, outputs = node_roles(cluster, plan)
    assert list(resources) == ["NodeRoleManagedStandard"]
    assert list(outputs) == ["NodeRoleManagedStandardArn"]


def test_managed_and_self_managed_groups_cannot_share_a_name() -> None:
    cluster, plan = _example(NodeRole(role_name="nodes"), NodeRole(role_name="nodes"))
    assert _types(node_roles(cluster, plan)[0]).count("Role") == 1
    first, second = cluster.node_groups
    mixed = replace(cluster, node_groups=(first, replace(second, managed=True)))
    with pytest.raises(InputError, match="a role named nodes"):
        node_roles(mixed, plan)


def test_the_name_of_a_role_stays_when_other_groups_come() -> None:
    own = NodeRole(permissions=Permissions(policy_arns=(_ROLE,)))

    def kind(*roles: NodeRole) -> str:
        cluster, plan = _example(*roles)
        group: NodeGroup = cluster.node_groups[-1]
        return role_kind(plan, group)

    assert kind(own) == kind(NodeRole(), NodeRole(role_arn=_ROLE), own)
    assert kind(own) != kind(NodeRole(role_arn=_ROLE))
