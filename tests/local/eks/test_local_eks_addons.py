from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.eks.eks_box import Aws


def _addon(aws: Aws, name: str) -> dict[str, Any]:
    found: dict[str, Any] = aws("DescribeAddon", clusterName="tide", addonName=name)["addon"]
    return found


def _create(aws: Aws, name: str, **params: Any) -> None:
    aws("CreateAddon", clusterName="tide", addonName=name, **params)
    aws.wait(aws.box.settings.delays.addon_s + 1)


@pytest.mark.parametrize("name", ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
def test_an_addon_of_every_node_is_active_without_nodes(aws: Aws, name: str) -> None:
    aws.active(bootstrapSelfManagedAddons=False)

    _create(aws, name)

    assert _addon(aws, name)["status"] == "ACTIVE"
    assert len(aws.objects.names("DaemonSet")) == 1


@pytest.mark.parametrize("name", ["coredns", "metrics-server"])
def test_an_addon_that_needs_nodes_is_degraded_until_its_pods_run(aws: Aws, name: str) -> None:
    aws.active(bootstrapSelfManagedAddons=False)

    _create(aws, name)
    found = _addon(aws, name)
    assert found["status"] == "DEGRADED"
    assert found["health"]["issues"][0]["code"] == "InsufficientNumberOfReplicas"
    assert aws.objects.names("Deployment") == {name}

    aws.objects.are_available = True
    assert _addon(aws, name)["status"] == "ACTIVE"
    assert _addon(aws, name)["health"] == {"issues": []}


def test_without_a_control_plane_what_counts_is_an_instance_of_the_cluster(aws: Aws) -> None:
    del aws.box.ports["eks.objects"]
    aws.active()
    _create(aws, "coredns")
    assert _addon(aws, "coredns")["status"] == "DEGRADED"

    aws(
        "CreateNodegroup",
        clusterName="tide",
        nodegroupName="general",
        subnets=aws.subnets,
        nodeRole=aws.node_role,
    )

    assert _addon(aws, "coredns")["status"] == "ACTIVE"


def test_an_addon_is_creating_until_its_delay_has_passed(aws: Aws) -> None:
    aws.active()

    aws("CreateAddon", clusterName="tide", addonName="vpc-cni")

    assert _addon(aws, "vpc-cni")["status"] == "CREATING"


def test_a_deleted_addon_takes_its_objects_along_unless_they_are_to_stay(aws: Aws) -> None:
    aws.active(bootstrapSelfManagedAddons=False)
    for name in ("vpc-cni", "kube-proxy"):
        _create(aws, name)

    aws("DeleteAddon", clusterName="tide", addonName="vpc-cni")
    aws("DeleteAddon", clusterName="tide", addonName="kube-proxy", preserve=True)
    aws.wait(aws.box.settings.delays.addon_s + 1)

    assert aws.objects.names("DaemonSet") == {"kube-proxy"}
    with pytest.raises(AwsError, match="No addon: vpc-cni found in cluster: tide"):
        _addon(aws, "vpc-cni")


def test_an_updated_addon_has_its_new_version_when_the_update_has_ended(aws: Aws) -> None:
    aws.active()
    _create(aws, "coredns", addonVersion="v1.12.3-eksbuild.1")

    update = aws(
        "UpdateAddon", clusterName="tide", addonName="coredns", addonVersion="v1.12.4-eksbuild.1"
    )["update"]
    assert _addon(aws, "coredns")["status"] == "UPDATING"
    assert update["params"] == [{"type": "AddonVersion", "value": "v1.12.4-eksbuild.1"}]
    aws.wait(aws.box.settings.delays.addon_s + 1)

    assert _addon(aws, "coredns")["addonVersion"] == "v1.12.4-eksbuild.1"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"addonName": "nonsense"}, "Addon nonsense specified is not supported"),
        (
            {"addonName": "coredns", "addonVersion": "v0"},
            "Addon version specified is not supported",
        ),
        ({"addonName": "coredns", "configurationValues": "[1]"}, "must be a JSON or YAML object"),
    ],
)
def test_what_eks_does_not_have_is_refused(aws: Aws, params: dict[str, str], words: str) -> None:
    aws.active()

    with pytest.raises(AwsError, match=words) as refused:
        aws("CreateAddon", clusterName="tide", **params)
    assert refused.value.code == "InvalidParameterException"


def test_an_addon_needs_an_active_cluster_and_is_there_once(aws: Aws) -> None:
    aws.create()
    with pytest.raises(AwsError, match="Cluster 'tide' is not in ACTIVE status"):
        aws("CreateAddon", clusterName="tide", addonName="vpc-cni")

    aws.planes.succeed()
    aws.wait(aws.box.settings.delays.cluster_create_s + 1)
    _create(aws, "vpc-cni")
    with pytest.raises(AwsError, match="Addon already exists"):
        _create(aws, "vpc-cni")


def test_an_addons_pod_identities_live_and_die_with_it(aws: Aws) -> None:
    aws.active()
    roles = [{"serviceAccount": "aws-node", "roleArn": aws.node_role}]

    _create(aws, "vpc-cni", podIdentityAssociations=roles)
    listed = aws("ListPodIdentityAssociations", clusterName="tide")["associations"]
    assert [one["associationArn"] for one in listed] == _addon(aws, "vpc-cni")[
        "podIdentityAssociations"
    ]
    with pytest.raises(AwsError, match="is owned by"):
        aws(
            "DeletePodIdentityAssociation",
            clusterName="tide",
            associationId=listed[0]["associationId"],
        )

    aws("DeleteAddon", clusterName="tide", addonName="vpc-cni")
    aws.wait(aws.box.settings.delays.addon_s + 1)
    assert aws("ListPodIdentityAssociations", clusterName="tide")["associations"] == []


def test_versions_name_the_minors_that_they_serve_and_one_default_for_each(aws: Aws) -> None:
    found = aws("DescribeAddonVersions", addonName="kube-proxy")["addons"][0]["addonVersions"]

    pairs = [
        (one["clusterVersion"], one["defaultVersion"])
        for version in found
        for one in version["compatibilities"]
    ]
    defaults = [minor for minor, is_default in pairs if is_default]
    assert sorted(defaults) == sorted(set(defaults)) == sorted({minor for minor, _ in pairs})


def test_the_configuration_of_an_addon_tells_its_account_and_policy(aws: Aws) -> None:
    found = aws(
        "DescribeAddonConfiguration", addonName="vpc-cni", addonVersion="v1.20.4-eksbuild.2"
    )

    assert found["podIdentityConfiguration"] == [
        {
            "serviceAccount": "aws-node",
            "recommendedManagedPolicies": ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"],
        }
    ]
