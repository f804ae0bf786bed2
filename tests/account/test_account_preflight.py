"""``check --live`` asks an account, goes on where it may not ask, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lowtide.app.design import design
from lowtide.app.files import Inputs
from lowtide.app.preflight import preflight, questions
from lowtide.aws.live.account import Account
from lowtide.aws.live.permissions import denials
from lowtide.aws.live.preflight import read_facts
from lowtide.local.aws import faults
from lowtide.local.aws.box import READS
from lowtide.model.findings import Severity
from tests.account.conftest import Cloud, Lowtide

CLUSTER = """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: vision, region: us-east-1, version: "1.36"}
availabilityZones: [us-east-1a, us-east-1b]
nodeGroups:
  - {name: general, instanceType: m5.large, minSize: 1, maxSize: 2}
  - name: gpu
    minSize: 0
    maxSize: 4
    instancesDistribution:
      instanceTypes: [g4dn.xlarge, g5.xlarge, g6.xlarge]
      onDemandPercentageAboveBaseCapacity: 0
"""


@pytest.fixture
def file(lowtide: Lowtide) -> str:
    Path("cluster.yaml").write_text(CLUSTER)
    return "cluster.yaml"


def live(lowtide: Lowtide) -> tuple[int, Any]:
    ran = lowtide("check", "--live", "-o", "json")
    return ran.code, json.loads(ran.out)


def codes(document: Any) -> dict[str, str]:
    return {one["code"]: one["severity"] for one in document["findings"]}


def test_a_good_account_is_shown_and_only_read(cloud: Cloud, lowtide: Lowtide, file: str) -> None:
    code, document = live(lowtide)
    assert code == 0
    account = document["account"]
    assert account["caller"].endswith(":user/lowtide")
    quotas = {one["code"]: one for one in account["quotas"]}
    assert (quotas["L-3819A6DF"]["vcpus"], quotas["L-3819A6DF"]["at_maximum"]) == (768, 16)
    assert "us-east-1a" in account["offered"]["g4dn.xlarge"]
    assert account["spot_usd_per_hour"]["g4dn.xlarge"]["us-east-1a"] > 0
    assert set(account["placement_scores"]["gpu"]) == {"us-east-1a", "us-east-1b"}
    assert account["kubernetes_versions"]["1.36"] == "STANDARD_SUPPORT"
    assert account["not_verified"] == []
    assert all(operation.startswith(READS) for _, operation, _ in cloud.calls)
    words = lowtide("check", "--live").out
    assert "account 123456789012 in us-east-1, as arn:aws:iam::123456789012:user/lowtide" in words
    assert "All G and VT Spot Instance Requests" in words


def test_placement_scores_are_asked_once_a_day(cloud: Cloud, lowtide: Lowtide, file: str) -> None:
    first, second = live(lowtide), live(lowtide)
    asked = [one for _, one, _ in cloud.calls if one == "GetSpotPlacementScores"]
    assert len(asked) == 1
    assert first[1]["account"]["placement_scores"] == second[1]["account"]["placement_scores"]


def test_a_single_type_is_not_worth_a_placement_score(cloud: Cloud, lowtide: Lowtide) -> None:
    Path("cluster.yaml").write_text(
        CLUSTER.replace("g4dn.xlarge, g5.xlarge, g6.xlarge", "g5.xlarge")
    )
    live(lowtide)
    assert "ec2:GetSpotPlacementScores" not in cloud.operations()


def test_a_quota_of_zero_fails_with_the_command(cloud: Cloud, lowtide: Lowtide, file: str) -> None:
    cloud.fault(kind="quota", code="L-3819A6DF", value=0)
    ran = lowtide("check", "--live")
    assert ran.code == 3
    assert "LT602 small-quota" in ran.out
    assert "--quota-code L-3819A6DF --desired-value 16" in ran.out


def test_a_quota_that_the_account_never_changed_is_the_default(
    cloud: Cloud, lowtide: Lowtide, file: str
) -> None:
    cloud.fault(
        kind="error",
        code="NoSuchResourceException",
        service="service-quotas",
        operation="GetServiceQuota",
    )
    code, document = live(lowtide)
    assert code == 3
    quotas = {one["code"]: one["vcpus"] for one in document["account"]["quotas"]}
    assert quotas == {"L-1216C47A": 5.0, "L-3819A6DF": 0.0}


def test_running_instances_of_others_count_against_a_quota(
    cloud: Cloud, lowtide: Lowtide, file: str
) -> None:
    image = cloud.client("ssm").get_parameter(
        Name="/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id"
    )["Parameter"]["Value"]
    tags = [{"Key": "lowtide.dev/cluster", "Value": "vision"}]
    for specification in ([], [{"ResourceType": "instance", "Tags": tags}]):
        cloud.client("ec2").run_instances(
            ImageId=image,
            InstanceType="m5.xlarge",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=specification,
        )
    _, document = live(lowtide)
    quotas = {one["code"]: one["used"] for one in document["account"]["quotas"]}
    assert quotas["L-1216C47A"] == 4


DENIED = (
    ("iam", "SimulatePrincipalPolicy", "the caller's permissions"),
    ("service-quotas", "", "quota 'All G and VT Spot Instance Requests' (L-3819A6DF)"),
    ("ec2", "DescribeInstances", "how many vCPUs are in use"),
    ("ec2", "DescribeInstanceTypeOfferings", "which zones sell the types"),
    ("ec2", "DescribeAvailabilityZones", "the account's zones"),
    ("ec2", "DescribeSpotPriceHistory", "spot prices"),
    ("ec2", "GetSpotPlacementScores", "the spot placement score of gpu"),
    ("iam", "GetRole", "service-linked roles"),
    ("eks", "DescribeClusterVersions", "the versions that EKS offers"),
    ("eks", "DescribeCluster", "whether the cluster's name is free"),
    ("cloudformation", "DescribeStacks", "whether the stacks' names are free"),
)


def test_where_a_fact_is_denied_the_others_are_read(
    cloud: Cloud, file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    designed = design(Inputs(cluster=file))
    account = Account("us-east-1")
    for service, operation, what in DENIED:
        # Scores that were asked for already would not be asked for again.
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"{service}-{operation}"))
        cloud.fault(kind="access-denied", service=service, operation=operation)
        found = preflight(designed, account)
        with cloud.served.box.lock:
            faults.remove(cloud.served.box)
        unknown = {one.what for one in found.facts.unknown}
        assert what in unknown
        assert len(unknown) == (2 if service == "service-quotas" else 1), (operation, unknown)
        assert found.blockers == ()
        warned = {one.severity for one in found.findings if one.code == "LT610"}
        assert warned == {Severity.WARNING}


def test_expired_credentials_stop_it_with_one_word(
    cloud: Cloud, lowtide: Lowtide, file: str
) -> None:
    cloud.fault(kind="expired-token")
    ran = lowtide("check", "--live")
    assert ran.code == 4
    assert "expired" in ran.err
    assert "aws sso login" in ran.err


def test_files_with_errors_are_not_asked_about(cloud: Cloud, lowtide: Lowtide) -> None:
    Path("cluster.yaml").write_text(CLUSTER.replace("m5.large", "m5.lrge"))
    assert lowtide("check", "--live").code == 3
    assert cloud.calls == []


def test_the_stack_of_a_stranger_and_a_cluster_of_eksctl_are_found(
    cloud: Cloud, lowtide: Lowtide, file: str
) -> None:
    body = json.dumps(
        {
            "Resources": {
                "Topic": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {"Type": "String", "Value": "x"},
                }
            }
        }
    )
    for name in ("lowtide-vision-cluster", "eksctl-vision-cluster", "something-else"):
        cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=body)
    code, document = live(lowtide)
    assert code == 3
    found = [one["message"] for one in document["findings"] if one["code"] == "LT606"]
    assert len(found) == 2
    assert any("eksctl-vision-cluster" in one and "eksctl made" in one for one in found)


ROLE_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)


def _role(cloud: Cloud, statements: list[dict[str, Any]]) -> str:
    iam = cloud.client("iam")
    role = iam.create_role(RoleName="ops", AssumeRolePolicyDocument=ROLE_TRUST, Path="/teams/")
    iam.put_role_policy(
        RoleName="ops",
        PolicyName="own",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    return str(role["Role"]["Arn"])


def test_the_role_behind_a_session_is_what_is_simulated(
    cloud: Cloud, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = _role(
        cloud,
        [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "eks:CreateCluster", "Resource": "*"},
        ],
    )
    session = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", session["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", session["SessionToken"])
    found = preflight(design(Inputs(cluster=file)), Account("us-east-1"))
    assert found.facts.principal == arn
    assert [one.action for one in found.facts.denied if one.explicit] == ["eks:CreateCluster"]
    assert "LT601" in {one.code for one in found.blockers}


def test_an_action_that_is_allowed_on_our_names_alone_is_allowed(cloud: Cloud, file: str) -> None:
    asked = questions(design(Inputs(cluster=file)))
    arn = _role(
        cloud,
        [
            {
                "Effect": "Allow",
                "Action": "cloudformation:CreateStack",
                "Resource": "arn:aws:cloudformation:*:*:stack/lowtide-*",
            }
        ],
    )
    stack = asked.resources["cloudformation"][0].format(
        partition="aws", region="us-east-1", account="123456789012"
    )
    actions = ("cloudformation:CreateStack", "cloudformation:DeleteStack")
    found = denials(cloud.account, arn, actions, {"cloudformation": [stack]})
    assert [one.action for one in found] == ["cloudformation:DeleteStack"]
    whole = denials(cloud.account, arn, actions, {})
    assert [one.action for one in whole] == list(actions)


def test_every_action_that_up_was_seen_to_use_is_asked_about(cloud: Cloud, file: str) -> None:
    asked = questions(design(Inputs(cluster=file)))
    read_facts(Account("us-east-1"), asked)
    simulated = {
        action
        for _, operation, params in cloud.calls
        if operation == "SimulatePrincipalPolicy"
        for action in params["ActionNames"]
    }
    assert simulated == set(asked.actions)
    assert {"eks:CreateCluster", "iam:PassRole", "cloudformation:CreateStack"} <= simulated
