"""The control plane, its security groups, its logs and who may use it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lowtide.aws.templates import cfn
from lowtide.aws.templates.access import access_entries
from lowtide.aws.templates.control_plane import (
    control_plane,
    control_plane_outputs,
    service_cidr,
)
from lowtide.model.blueprint import AccessEntry, AccessPolicy, Blueprint
from lowtide.model.cluster import ResolvedCluster
from tests.aws.example_cluster import existing_network, make_blueprint, with_control_plane

KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def cluster_of(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Any]:
    properties: dict[str, Any] = control_plane(cluster, blueprint)["Cluster"]["Properties"]
    return properties


def test_networking_add_ons_are_not_bootstrapped_by_eks(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    assert cluster_of(cluster, blueprint)["BootstrapSelfManagedAddons"] is False


def test_hardened_values_of_the_blueprint_reach_the_cluster(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    properties = cluster_of(cluster, blueprint)
    assert properties["UpgradePolicy"] == {"SupportType": "STANDARD"}
    assert properties["AccessConfig"]["AuthenticationMode"] == "API"
    assert properties["ResourcesVpcConfig"]["EndpointPrivateAccess"] is True


def test_the_api_stays_private_when_the_file_says_so(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    closed = with_control_plane(blueprint, public_access=False, public_cidrs=("1.2.3.4/32",))
    config = cluster_of(cluster, closed)["ResourcesVpcConfig"]
    assert config["EndpointPublicAccess"] is False
    assert "PublicAccessCidrs" not in config


def test_the_public_api_is_open_only_to_the_addresses_of_the_file(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    narrow = with_control_plane(blueprint, public_cidrs=("1.2.3.4/32",))
    config = cluster_of(cluster, narrow)["ResourcesVpcConfig"]
    assert config["PublicAccessCidrs"] == ["1.2.3.4/32"]


def test_the_control_plane_uses_private_subnets_alone_when_asked(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    all_subnets = cluster_of(cluster, blueprint)["ResourcesVpcConfig"]["SubnetIds"]
    plan = replace(blueprint.network, control_plane_on_private_subnets=True)
    private = cluster_of(cluster, replace(blueprint, network=plan))
    assert len(all_subnets) == 6
    assert private["ResourcesVpcConfig"]["SubnetIds"] == [
        {"Ref": f"PrivateSubnetUsEast1{letter}"} for letter in "abc"
    ]


def test_given_control_plane_subnets_are_used_as_they_are(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    plan = replace(blueprint.network, control_plane_subnets=("subnet-1", "subnet-2"))
    config = cluster_of(cluster, replace(blueprint, network=plan))["ResourcesVpcConfig"]
    assert config["SubnetIds"] == ["subnet-1", "subnet-2"]


def test_secrets_are_encrypted_with_the_files_key(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    assert "EncryptionConfig" not in cluster_of(cluster, blueprint)
    keyed = cluster_of(cluster, with_control_plane(blueprint, secrets_key_arn=KEY))
    assert keyed["EncryptionConfig"] == [{"Provider": {"KeyArn": KEY}, "Resources": ["secrets"]}]


def test_logs_have_a_group_with_an_end_before_the_cluster_would_make_one_without(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    logged = with_control_plane(blueprint, log_types=("audit", "api"), log_retention_days=30)
    resources = control_plane(cluster, logged)
    assert resources["Cluster"]["DependsOn"] == ["ControlPlaneLogs"]
    assert resources["ControlPlaneLogs"]["Properties"]["LogGroupName"] == "/aws/eks/example/cluster"
    assert resources["ControlPlaneLogs"]["Properties"]["RetentionInDays"] == 30
    enabled = resources["Cluster"]["Properties"]["Logging"]["ClusterLogging"]["EnabledTypes"]
    assert enabled == [{"Type": "api"}, {"Type": "audit"}]


def test_a_failed_cluster_can_be_rolled_back(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    assert "DeletionProtection" not in cluster_of(cluster, blueprint)


def test_the_clusters_role_can_be_taken_by_this_cluster_alone(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    role = control_plane(cluster, blueprint)["ClusterRole"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "eks.amazonaws.com"}
    source = statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"]
    assert source.endswith(":${AWS::Region}:${AWS::AccountId}:cluster/example")


def test_a_given_role_replaces_ours(cluster: ResolvedCluster, blueprint: Blueprint) -> None:
    arn = "arn:aws:iam::123456789012:role/eks"
    resources = control_plane(cluster, with_control_plane(blueprint, role_arn=arn))
    assert "ClusterRole" not in resources
    assert resources["Cluster"]["Properties"]["RoleArn"] == arn


def test_nodes_and_control_plane_reach_each_other_as_in_eksctl(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    rules = {
        name: (rule["GroupId"]["Fn::GetAtt"][0], rule["SourceSecurityGroupId"]["Fn::GetAtt"][0])
        for name, one in control_plane(cluster, blueprint).items()
        if one["Type"] == "AWS::EC2::SecurityGroupIngress" and (rule := one["Properties"])
    }
    assert rules == {
        "NodesToNodes": ("SharedNodeSecurityGroup", "SharedNodeSecurityGroup"),
        "ClusterToNodes": ("SharedNodeSecurityGroup", "Cluster"),
        "NodesToCluster": ("Cluster", "SharedNodeSecurityGroup"),
    }


def test_given_security_groups_are_used_and_ours_not_made(cluster: ResolvedCluster) -> None:
    plan = replace(
        existing_network(),
        security_group="sg-1",
        shared_node_security_group="sg-2",
        manage_shared_rules=False,
    )
    blueprint = make_blueprint(cluster, plan)
    resources = control_plane(cluster, blueprint)
    outputs = control_plane_outputs(cluster, blueprint)
    assert not any("SecurityGroup" in one["Type"] for one in resources.values())
    config = resources["Cluster"]["Properties"]["ResourcesVpcConfig"]
    assert config["SecurityGroupIds"] == ["sg-1"]
    assert outputs["SharedNodeSecurityGroupId"]["Value"] == "sg-2"


def test_the_control_plane_has_the_group_that_eks_makes_and_no_empty_one_of_ours(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    resources = control_plane(cluster, blueprint)
    groups = [key for key, one in resources.items() if one["Type"] == "AWS::EC2::SecurityGroup"]
    tags = {
        one["Key"]: one["Value"]
        for one in resources["SharedNodeSecurityGroup"]["Properties"]["Tags"]
    }
    assert groups == ["SharedNodeSecurityGroup"]
    assert tags["kubernetes.io/cluster/example"] == "owned"
    assert "SecurityGroupIds" not in cluster_of(cluster, blueprint)["ResourcesVpcConfig"]


@pytest.mark.parametrize(
    ("cidrs", "services"),
    [
        (["192.168.0.0/16"], "10.100.0.0/16"),
        (["172.20.0.0/16"], "10.100.0.0/16"),
        (["10.0.0.0/16"], "172.20.0.0/16"),
        (["10.100.0.0/16"], "172.20.0.0/16"),
        (["192.168.0.0/16", "10.100.128.0/20"], "172.20.0.0/16"),
        (["10.0.0.0/16", "172.20.4.0/24"], "10.100.0.0/16"),
        ([""], "172.20.0.0/16"),
    ],
)
def test_services_get_addresses_away_from_the_vpcs(
    blueprint: Blueprint, cidrs: list[str], services: str
) -> None:
    plan = replace(blueprint.network, cidr=cidrs[0], extra_cidrs=tuple(cidrs[1:]))
    assert service_cidr(replace(blueprint, network=plan)) == services


def test_nodes_are_told_the_service_addresses_that_the_cluster_has(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    own = with_control_plane(blueprint, service_cidr="10.55.0.0/16")
    config = cluster_of(cluster, own)["KubernetesNetworkConfig"]
    assert config["ServiceIpv4Cidr"] == "10.55.0.0/16"
    assert control_plane_outputs(cluster, own)["ServiceCidr"]["Value"] == "10.55.0.0/16"


def test_the_certificate_authority_is_kept_where_its_length_is_allowed(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    kept = control_plane(cluster, blueprint)["CertificateAuthority"]["Properties"]
    parameter = cfn.cluster_ca_parameter(cluster.name)[cfn.CLUSTER_CA]
    assert kept["Value"] == {"Fn::GetAtt": ["Cluster", "CertificateAuthorityData"]}
    assert parameter["Default"] == kept["Name"]
    with pytest.raises(ValueError, match="cluster_ca_parameter"):
        cfn.imported(cluster.name, "ClusterCa")


def test_an_access_entry_has_the_groups_and_policies_of_the_file(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    view = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    entry = AccessEntry(
        principal_arn="arn:aws:iam::123456789012:role/ops",
        groups=("ops",),
        policies=(AccessPolicy(arn=view, namespaces=("team",)), AccessPolicy(arn=view)),
    )
    made = access_entries(cluster, with_control_plane(blueprint, access_entries=(entry,)))
    properties = made["Access123456789012RoleOps"]["Properties"]
    assert properties["KubernetesGroups"] == ["ops"]
    assert [one["AccessScope"] for one in properties["AccessPolicies"]] == [
        {"Type": "namespace", "Namespaces": ["team"]},
        {"Type": "cluster"},
    ]


def test_principals_whose_names_look_alike_get_entries_of_their_own(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    arns = [f"arn:aws:iam::123456789012:role/{name}" for name in ("a-b", "ab", "aB", "a/b")]
    entries = tuple(AccessEntry(principal_arn=arn) for arn in arns)
    made = access_entries(cluster, with_control_plane(blueprint, access_entries=entries))
    assert sorted(one["Properties"]["PrincipalArn"] for one in made.values()) == sorted(arns)
