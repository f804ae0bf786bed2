"""Roles of service accounts: who can take them, and what they may do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide.aws.templates.identity import (
    CLUSTER_STACK,
    identities,
    identity_outputs,
    oidc_provider,
    other_stack,
)
from lowtide.aws.templates.policies import role_permissions, well_known
from lowtide.model.blueprint import Blueprint, Identity, Permissions
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.errors import InputError
from lowtide.resolve.ready_policies import UNAVAILABLE
from lowtide.resolve.ready_policies import well_known as ready_made
from lowtide.spec.clusterconfig.identity import WellKnownPolicies
from tests.aws.example_cluster import with_control_plane

ROLE = "arn:aws:iam::123456789012:role/mine"


def identity(kind: str, **changes: Any) -> Identity:
    return Identity(kind=kind, namespace="team", name="trainer", **changes)


def role_of(cluster: ResolvedCluster, blueprint: Blueprint, one: Identity) -> dict[str, Any]:
    made = identities(cluster, blueprint, [one], CLUSTER_STACK)
    properties: dict[str, Any] = made["RoleTeamTrainer"]["Properties"]
    return properties


def filled(trust: dict[str, Any], issuer: str, provider: str) -> dict[str, Any]:
    """The trust policy as CloudFormation would fill it in."""
    text, _variables = trust["Fn::Sub"]
    document: dict[str, Any] = json.loads(
        text.replace("${Issuer}", issuer).replace("${Provider}", provider)
    )
    return document


def test_a_pod_identity_role_can_be_taken_by_its_service_account_alone(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    role = role_of(cluster, blueprint, identity("pod-identity"))
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    equal = statement["Condition"]["StringEquals"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert equal["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert equal["aws:RequestTag/kubernetes-namespace"] == "team"
    assert equal["aws:RequestTag/kubernetes-service-account"] == "trainer"
    arn = equal["aws:RequestTag/eks-cluster-arn"]["Fn::Sub"]
    assert arn.endswith("cluster/example")


def test_without_session_tags_a_role_is_still_bound_to_the_cluster(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    one = identity("pod-identity", disable_session_tags=True)
    made = identities(cluster, blueprint, [one], CLUSTER_STACK)
    trust = made["RoleTeamTrainer"]["Properties"]["AssumeRolePolicyDocument"]
    condition = trust["Statement"][0]["Condition"]
    assert condition["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].endswith("cluster/example")
    assert not any("RequestTag" in key for key in condition["StringEquals"])
    assert made["IdentityTeamTrainer"]["Properties"]["DisableSessionTags"] is True


def test_an_irsa_role_trusts_one_service_account_by_keys_that_hold_the_issuer(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    role = role_of(cluster, blueprint, identity("irsa"))
    document = filled(role["AssumeRolePolicyDocument"], "oidc.eks/id/1", "arn:provider")
    (statement,) = document["Statement"]
    assert statement["Principal"] == {"Federated": "arn:provider"}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            "oidc.eks/id/1:aud": "sts.amazonaws.com",
            "oidc.eks/id/1:sub": "system:serviceaccount:team:trainer",
        }
    }


def test_a_subject_pattern_widens_an_irsa_role_and_keeps_the_audience(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    pattern = "system:serviceaccount:team:*"
    role = role_of(cluster, blueprint, identity("irsa", subject_pattern=pattern))
    document = filled(role["AssumeRolePolicyDocument"], "issuer", "arn:provider")
    assert document["Statement"][0]["Condition"] == {
        "StringEquals": {"issuer:aud": "sts.amazonaws.com"},
        "StringLike": {"issuer:sub": pattern},
    }


def test_the_issuer_is_what_follows_oidc_provider_in_the_providers_arn(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    role = role_of(cluster, blueprint, identity("irsa"))
    _text, variables = role["AssumeRolePolicyDocument"]["Fn::Sub"]
    index, split = variables["Issuer"]["Fn::Select"]
    separator, source = split["Fn::Split"]
    provider = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"
    assert source == variables["Provider"] == {"Fn::GetAtt": ["OidcProvider", "Arn"]}
    assert provider.split(separator)[index] == "oidc.eks.us-east-1.amazonaws.com/id/ABC"


def test_stacks_other_than_the_clusters_trust_its_exported_provider(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    made = identities(cluster, blueprint, [identity("irsa")], other_stack(cluster))
    role = made["RoleTeamTrainer"]["Properties"]
    _text, variables = role["AssumeRolePolicyDocument"]["Fn::Sub"]
    assert variables["Provider"] == {"Fn::ImportValue": "lowtide-example-OidcProviderArn"}


def test_an_existing_role_is_associated_and_none_is_made(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    one = identity("pod-identity", role_arn=ROLE, target_role_arn=ROLE + "2")
    made = identities(cluster, blueprint, [one], CLUSTER_STACK)
    assert list(made) == ["IdentityTeamTrainer"]
    properties = made["IdentityTeamTrainer"]["Properties"]
    assert properties["RoleArn"] == ROLE
    assert properties["TargetRoleArn"] == ROLE + "2"
    assert properties["ClusterName"] == {"Ref": "Cluster"}


def test_the_role_to_write_into_an_irsa_account_is_an_output() -> None:
    outputs = identity_outputs(
        [identity("irsa"), Identity(kind="pod-identity", namespace="a", name="b")]
    )
    assert list(outputs) == ["RoleTeamTrainerArn"]
    assert "team/trainer" in outputs["RoleTeamTrainerArn"]["Description"]


def test_service_accounts_whose_names_look_alike_keep_their_own_roles(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    wanted = [
        Identity(kind="pod-identity", namespace="a-b", name="c"),
        Identity(kind="pod-identity", namespace="a", name="b-c"),
    ]
    made = identities(cluster, blueprint, wanted, CLUSTER_STACK)
    assert len(made) == 4


def test_there_is_an_oidc_provider_only_when_the_file_asks(
    cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    plane = blueprint.control_plane
    without = with_control_plane(blueprint, with_oidc=False).control_plane
    assert list(oidc_provider(cluster, plane)) == ["OidcProvider"]
    assert oidc_provider(cluster, without) == {}


def test_the_autoscaler_may_change_only_the_groups_of_its_cluster() -> None:
    statements = well_known("example", "autoScaler")["Statement"]
    (writes,) = [one for one in statements if "autoscaling:SetDesiredCapacity" in one["Action"]]
    assert writes["Action"] == [
        "autoscaling:SetDesiredCapacity",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
    ]
    assert writes["Resource"]["Fn::Sub"].startswith("arn:${AWS::Partition}:autoscaling:")
    assert writes["Condition"] == {
        "StringEquals": {"autoscaling:ResourceTag/k8s.io/cluster-autoscaler/example": "owned"}
    }


def test_the_termination_handler_completes_no_lifecycle_action() -> None:
    statements = well_known("example", "nodeTerminationHandler")["Statement"]
    actions = {action for one in statements for action in one["Action"]}
    assert "autoscaling:CompleteLifecycleAction" not in actions
    (queue,) = [one for one in statements if "sqs:ReceiveMessage" in one["Action"]]
    assert queue["Resource"]["Fn::Sub"].endswith(":lowtide-example-interruption")


@pytest.mark.parametrize(
    "key", ["autoScaler", "certManager", "externalDNS", "nodeTerminationHandler"]
)
def test_no_well_known_policy_writes_everywhere(key: str) -> None:
    reads = ("Describe", "Get", "List")
    for statement in well_known("example", key)["Statement"]:
        if statement["Resource"] == "*":
            verbs = [action.partition(":")[2] for action in statement["Action"]]
            assert [verb for verb in verbs if not verb.startswith(reads)] == []


def test_aws_managed_policies_are_named_in_any_partition() -> None:
    granted = role_permissions("example", Permissions(well_known=("ebsCSIController",)))
    assert granted == {
        "ManagedPolicyArns": [
            {
                "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
            }
        ]
    }


def test_policies_of_the_file_and_its_boundary_stay_as_they_are() -> None:
    document = {"Version": "2012-10-17", "Statement": []}
    granted = role_permissions(
        "example",
        Permissions(policy_arns=(ROLE,), document=document, boundary_arn="arn:aws:iam::1:policy/b"),
    )
    assert granted == {
        "ManagedPolicyArns": [ROLE],
        "Policies": [{"PolicyName": "attached", "PolicyDocument": document}],
        "PermissionsBoundary": "arn:aws:iam::1:policy/b",
    }


def test_every_ready_made_policy_of_a_file_is_rendered_or_warned_of() -> None:
    everything = WellKnownPolicies(**dict.fromkeys(_keys(WellKnownPolicies), True))
    assert len(ready_made(everything)) == len(WellKnownPolicies.model_fields)
    for key in ready_made(everything):
        if key in UNAVAILABLE:
            with pytest.raises(InputError):
                role_permissions("example", Permissions(well_known=(key,)))
        else:
            assert role_permissions("example", Permissions(well_known=(key,)))


def _keys(section: type[WellKnownPolicies]) -> list[str]:
    return [str(one.alias) for one in section.model_fields.values()]


def test_a_well_known_policy_that_lowtide_lacks_is_refused_with_a_way_out() -> None:
    with pytest.raises(InputError) as caught:
        role_permissions("example", Permissions(well_known=("awsLoadBalancerController",)))
    assert caught.value.where == "wellKnownPolicies.awsLoadBalancerController"
    assert "attachPolicyARNs" in caught.value.fix
