"""Add-ons with their roles, and the queue of spot interruptions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lowtide.aws.templates.addons import addons
from lowtide.aws.templates.identity import CLUSTER_STACK, other_stack
from lowtide.aws.templates.interruption import interruption
from lowtide.aws.templates.policies import queue_name
from lowtide.aws.templates.stacks import cluster_stack
from lowtide.model.blueprint import IRSA, Addon, Blueprint, Identity
from lowtide.model.cluster import ResolvedCluster
from tests.aws.example_cluster import make_identity

AGENT = Addon(name="eks-pod-identity-agent", needs_nodes=False)
CNI = Addon(
    name="vpc-cni",
    needs_nodes=False,
    identities=(make_identity("aws-node", "vpcCNI", kind=IRSA),),
)
EBS = Addon(
    name="aws-ebs-csi-driver",
    needs_nodes=True,
    identities=(make_identity("ebs-csi-controller-sa", "ebsCSIController"),),
)


def made(
    cluster: ResolvedCluster, blueprint: Blueprint, *wanted: Addon
) -> dict[str, dict[str, Any]]:
    return addons(cluster, blueprint, wanted, CLUSTER_STACK)


def test_an_irsa_role_of_an_add_on_is_given_to_the_add_on_itself(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    resources = made(cluster, blueprint, CNI)
    policies = resources["AddonVpcCniRoleAwsNode"]["Properties"]["ManagedPolicyArns"]
    assert resources["AddonVpcCni"]["Properties"]["ServiceAccountRoleArn"] == {
        "Fn::GetAtt": ["AddonVpcCniRoleAwsNode", "Arn"]
    }
    assert policies == [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonEKS_CNI_Policy"}]


def test_an_add_on_with_pod_identity_comes_after_the_agent(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    resources = made(cluster, blueprint, EBS, AGENT)
    whole = resources["AddonAwsEbsCsiDriver"]
    assert whole["DependsOn"] == "AddonEksPodIdentityAgent"
    assert whole["Properties"]["PodIdentityAssociations"] == [
        {
            "RoleArn": {"Fn::GetAtt": ["AddonAwsEbsCsiDriverRoleEbsCsiControllerSa", "Arn"]},
            "ServiceAccount": "ebs-csi-controller-sa",
        }
    ]


def test_pod_identities_of_an_add_on_are_its_own(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    given = "arn:aws:iam::123456789012:role/given"
    one = replace(
        CNI,
        identities=(
            Identity(kind="pod-identity", namespace="kube-system", name="aws-node", role_arn=given),
        ),
    )
    resources = made(cluster, blueprint, one)
    assert list(resources) == ["AddonVpcCni"]
    associations = resources["AddonVpcCni"]["Properties"]["PodIdentityAssociations"]
    assert associations == [{"RoleArn": given, "ServiceAccount": "aws-node"}]


def test_what_the_file_says_of_an_add_on_reaches_it_and_nothing_else_does(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    one = Addon(
        name="coredns",
        needs_nodes=True,
        version="v1.14.0-eksbuild.1",
        configuration='{"replicaCount": 3}',
        resolve_conflicts="overwrite",
        namespace="dns",
    )
    home = other_stack(cluster)
    full = addons(cluster, blueprint, (one,), home)["AddonCoredns"]["Properties"]
    bare = addons(cluster, blueprint, (Addon(name="coredns", needs_nodes=True),), home)
    assert {key: value for key, value in full.items() if key != "Tags"} == {
        "AddonName": "coredns",
        "ClusterName": {"Fn::ImportValue": "lowtide-example-ClusterName"},
        "AddonVersion": "v1.14.0-eksbuild.1",
        "ConfigurationValues": '{"replicaCount": 3}',
        "NamespaceConfig": {"Namespace": "dns"},
        "ResolveConflicts": "OVERWRITE",
    }
    assert set(bare["AddonCoredns"]["Properties"]) == {"AddonName", "ClusterName", "Tags"}


def test_spot_is_used_when_any_group_may_launch_it(cluster: ResolvedCluster) -> None:
    on_demand = replace(cluster, node_groups=cluster.node_groups[:1])
    mixed = replace(on_demand.node_groups[0], on_demand_base=1, on_demand_percent=50)
    assert cluster.uses_spot
    assert not on_demand.uses_spot
    assert replace(cluster, node_groups=(mixed,)).uses_spot


def test_warnings_and_rebalance_advice_reach_the_queue_and_no_lifecycle_hook_does(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    resources = interruption(cluster, blueprint)
    rules = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Events::Rule"]
    details = [rule["EventPattern"]["detail-type"] for rule in rules]
    assert details == [
        ["EC2 Spot Instance Interruption Warning"],
        ["EC2 Instance Rebalance Recommendation"],
    ]
    assert all(rule["Targets"][0]["Arn"] == {"Fn::GetAtt": ["Queue", "Arn"]} for rule in rules)
    assert not any("LifecycleHook" in one["Type"] for one in resources.values())


def test_the_queue_is_encrypted_short_lived_and_fed_by_its_rules_over_tls_alone(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    resources = interruption(cluster, blueprint)
    queue = resources["Queue"]["Properties"]
    send, tls = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (queue["SqsManagedSseEnabled"], queue["MessageRetentionPeriod"]) == (True, 300)
    assert send["Principal"] == {"Service": "events.amazonaws.com"}
    sources = send["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert [one["Fn::GetAtt"][0] for one in sources] == [
        "SpotInterruption",
        "RebalanceRecommendation",
    ]
    assert (tls["Effect"], tls["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_the_handlers_role_is_beside_its_queue_and_no_other_role_is(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    name = "KubeSystemAwsNodeTerminationHandler"
    roles = {
        key for key in interruption(cluster, blueprint) if key.startswith(("Role", "Identity"))
    }
    assert roles == {f"Role{name}", f"Identity{name}"}
    assert not set(cluster_stack(cluster, blueprint).template["Resources"]) & roles


@pytest.mark.parametrize("length", [1, 40, 100])
def test_queue_names_fit_into_what_sqs_allows_and_differ(length: int) -> None:
    names = {queue_name("a" * (length - 1) + letter) for letter in "xyz"}
    assert len(names) == 3
    assert max(map(len, names)) <= 80
