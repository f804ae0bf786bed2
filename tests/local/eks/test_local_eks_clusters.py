from __future__ import annotations

import base64
import pickle
from typing import Any

import pytest

from lowtide.local.aws.eks.clusters import resume
from lowtide.local.aws.errors import AwsError
from tests.local.eks.eks_box import EC2_TRUST, REGION, Aws, role, subnets


def test_a_cluster_is_active_only_when_the_delay_has_passed_and_its_control_plane_is_ready(
    aws: Aws,
) -> None:
    aws.create()
    delay = aws.box.settings.delays.cluster_create_s

    aws.wait(delay + 1)
    assert aws.cluster()["status"] == "CREATING"
    aws.planes.succeed("https://127.0.0.1:7443")
    aws.wait(1)

    found = aws.cluster()
    assert found["status"] == "ACTIVE"
    assert found["endpoint"] == "https://127.0.0.1:7443"
    assert base64.b64decode(found["certificateAuthority"]["data"]).startswith(b"-----BEGIN")


def test_a_control_plane_that_is_ready_first_waits_for_the_delay(aws: Aws) -> None:
    aws.create()
    aws.planes.succeed()
    aws.wait(1)

    assert aws.cluster()["status"] == "CREATING"


def test_a_control_plane_that_cannot_start_leaves_a_failed_cluster_that_says_why(aws: Aws) -> None:
    aws.create()
    aws.planes.fail("the Kubernetes binaries are not here", "lowtide local build")
    aws.wait(1)

    found = aws.cluster()
    issue = found["health"]["issues"][0]
    assert found["status"] == "FAILED"
    assert "the Kubernetes binaries are not here" in issue["message"]
    assert "lowtide local build" in issue["message"]
    aws("DeleteCluster", name="tide")


def test_a_cluster_tells_what_templates_and_kubeconfigs_need(aws: Aws) -> None:
    found = aws.active(version="1.35", tags={"team": "ml"})

    assert found["arn"] == "arn:aws:eks:us-east-1:123456789012:cluster/tide"
    assert found["version"] == "1.35"
    assert found["identity"]["oidc"]["issuer"].startswith(
        "https://oidc.eks.us-east-1.amazonaws.com/id/"
    )
    assert found["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.20.0.0/16"
    assert found["tags"] == {"team": "ml"}
    assert found["upgradePolicy"] == {"supportType": "EXTENDED"}
    assert found["logging"]["clusterLogging"][0]["enabled"] is False


def test_a_vpc_outside_of_ten_leaves_the_first_service_range(aws: Aws) -> None:
    aws.subnets = subnets(aws, "us-east-1a", "us-east-1b", cidr="192.168")

    found = aws.create()

    assert found["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "10.100.0.0/16"


def test_the_cluster_security_group_is_one_that_ec2_knows_and_goes_with_the_cluster(
    aws: Aws,
) -> None:
    group = aws.active()["resourcesVpcConfig"]["clusterSecurityGroupId"]

    known = aws("DescribeSecurityGroups", service="ec2", GroupIds=[group])["SecurityGroups"][0]
    tags = {one["Key"]: one["Value"] for one in known["Tags"]}
    assert tags["kubernetes.io/cluster/tide"] == "owned"
    assert known["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group

    aws("DeleteCluster", name="tide")
    aws.wait(aws.box.settings.delays.cluster_delete_s + 1)
    with pytest.raises(AwsError, match=r"InvalidGroup\.NotFound"):
        aws("DescribeSecurityGroups", service="ec2", GroupIds=[group])


def test_a_deleted_cluster_stops_its_plane_at_once_and_is_unknown_after_the_delay(aws: Aws) -> None:
    aws.active()

    assert aws("DeleteCluster", name="tide")["cluster"]["status"] == "DELETING"
    assert aws.planes.stopped == [(REGION, "tide")]
    assert aws.objects.forgotten == [(REGION, "tide")]
    aws.wait(aws.box.settings.delays.cluster_delete_s + 1)

    with pytest.raises(AwsError) as refused:
        aws.cluster()
    assert refused.value.code == "ResourceNotFoundException"
    assert refused.value.message == "No cluster found for name: tide."
    assert refused.value.status == 404
    assert refused.value.fields["clusterName"] == "tide"


def test_a_second_cluster_of_one_name_is_refused_in_one_region_only(aws: Aws) -> None:
    aws.create()

    with pytest.raises(AwsError, match="Cluster already exists with name: tide") as refused:
        aws.create()
    assert (refused.value.code, refused.value.status) == ("ResourceInUseException", 409)
    with pytest.raises(AwsError, match="No cluster found"):
        aws.box.call("eks", "DescribeCluster", {"name": "tide"}, region="eu-west-1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "1.12"}, "unsupported Kubernetes version"),
        ({"name": "-tide"}, "must match"),
        ({"roleArn": "arn:aws:iam::123456789012:role/nobody"}, "could not be assumed"),
        ({"resourcesVpcConfig": {"subnetIds": ["subnet-00000000000000000"] * 2}}, "does not exist"),
        ({"resourcesVpcConfig": {"subnetIds": []}}, "at least two different AZs"),
        ({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "8.8.0.0/16"}}, "serviceIpv4Cidr"),
        ({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.0.0.0/16"}}, "overlaps"),
        ({"accessConfig": {"authenticationMode": "NONE"}}, "must be one of: API"),
        ({"nodes": 3}, "Unknown parameter"),
    ],
)
def test_what_eks_does_not_take_is_refused_by_its_name(
    aws: Aws, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(AwsError, match=words) as refused:
        aws.create(**{"name": "tide", **change})
    assert refused.value.code == "InvalidParameterException"


def test_subnets_of_one_zone_are_refused_in_ekss_words(aws: Aws) -> None:
    aws.subnets = subnets(aws, "us-east-1a", "us-east-1a", cidr="10.1")

    with pytest.raises(AwsError, match="Subnets specified must be in at least two different AZs"):
        aws.create()


def test_a_zone_without_control_planes_is_refused_with_those_that_have_them(aws: Aws) -> None:
    aws.subnets = subnets(aws, "us-east-1a", "us-east-1e", cidr="10.1")

    with pytest.raises(AwsError, match="us-east-1e, the targeted availability zone") as refused:
        aws.create()
    assert refused.value.code == "UnsupportedAvailabilityZoneException"
    assert "us-east-1f" in refused.value.fields["validZones"]


def test_a_role_that_eks_may_not_assume_is_refused(aws: Aws) -> None:
    aws.role = role(aws, "wrong", EC2_TRUST)

    with pytest.raises(AwsError, match="the trusted entity is not correct"):
        aws.create()


def test_a_protected_cluster_is_not_deleted_until_protection_is_off(aws: Aws) -> None:
    aws.active(deletionProtection=True)
    with pytest.raises(AwsError, match="deletion protection is enabled"):
        aws("DeleteCluster", name="tide")

    aws("UpdateClusterConfig", name="tide", deletionProtection=False)
    aws.wait(aws.box.settings.delays.cluster_update_s + 1)

    assert aws("DeleteCluster", name="tide")["cluster"]["status"] == "DELETING"


def test_lists_come_in_pages_and_a_foreign_token_is_refused(aws: Aws) -> None:
    for name in ("c", "a", "b"):
        aws.create(name)

    first = aws("ListClusters", maxResults=2)
    second = aws("ListClusters", maxResults=2, nextToken=first["nextToken"])

    assert first["clusters"] + second["clusters"] == ["a", "b", "c"]
    assert "nextToken" not in second
    with pytest.raises(AwsError, match="Invalid token"):
        aws("ListClusters", nextToken="no-token-of-ours")


def test_an_answer_that_a_client_changes_does_not_change_the_cluster(aws: Aws) -> None:
    aws.active()["tags"]["mine"] = "yes"

    assert aws.cluster()["tags"] == {}


def test_a_box_that_was_stopped_starts_the_planes_of_its_clusters_again(aws: Aws) -> None:
    aws.active()
    aws.box.states["eks"] = pickle.loads(pickle.dumps(aws.box.states["eks"]))  # noqa: S301
    aws.planes.asked.clear()

    resume(aws.box)
    aws.planes.succeed("https://127.0.0.1:9443")
    aws.wait(1)

    assert [one.key for one in aws.planes.asked] == [(REGION, "tide")]
    assert aws.cluster()["endpoint"] == "https://127.0.0.1:9443"
    assert aws.cluster()["status"] == "ACTIVE"


def test_what_a_new_cluster_has_by_itself_appears_in_it_unless_the_call_says_no(aws: Aws) -> None:
    aws.active("bare", bootstrapSelfManagedAddons=False)
    assert aws.objects.names("DaemonSet") == set()

    aws.active("full")

    assert aws.objects.names("DaemonSet") == {"aws-node", "kube-proxy"}
    assert aws.objects.names("Deployment") == {"coredns"}
