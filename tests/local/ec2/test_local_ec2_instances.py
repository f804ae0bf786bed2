"""Instances go through the phases that AWS has, and are refused for what AWS refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lowtide.local.aws import faults
from lowtide.local.aws.ec2 import instances
from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import Aws, spot, where

G_ON_DEMAND = "L-DB2E81BA"


def test_an_instance_is_pending_then_runs_and_when_terminated_shuts_down_first(aws: Aws) -> None:
    (one,) = aws.run()
    assert aws.phase(one) == "pending"
    aws.wait(10)
    assert aws.phase(one) == "running"
    changed = aws("TerminateInstances", InstanceIds=[one])["TerminatingInstances"][0]
    assert changed["PreviousState"] == {"Code": 16, "Name": "running"}
    assert changed["CurrentState"] == {"Code": 32, "Name": "shutting-down"}
    aws.wait(60)
    assert aws.phase(one) == "terminated"
    assert aws.instance(one)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"


def test_a_terminated_instance_is_listed_for_an_hour_and_then_unknown(aws: Aws) -> None:
    (one,) = aws.run()
    aws("TerminateInstances", InstanceIds=[one])
    aws.wait(60)
    assert aws.phase(one) == "terminated"
    aws.wait(3700)
    with pytest.raises(AwsError, match=f"The instance ID '{one}' does not exist"):
        aws.instance(one)
    assert aws("DescribeInstances")["Reservations"] == []


def test_an_instance_that_shuts_down_already_is_terminated_again_without_an_error(
    aws: Aws,
) -> None:
    (one,) = aws.run()
    aws("TerminateInstances", InstanceIds=[one])
    again = aws("TerminateInstances", InstanceIds=[one])["TerminatingInstances"][0]
    assert again["PreviousState"]["Name"] == again["CurrentState"]["Name"] == "shutting-down"


def test_instances_are_found_by_the_phase_that_the_box_gives_them(aws: Aws) -> None:
    old = aws.run(2)
    aws.wait(10)
    new = aws.run(1)

    def found(*names: str) -> set[str]:
        answer = aws("DescribeInstances", Filters=[where("instance-state-name", *names)])
        return {one["InstanceId"] for part in answer["Reservations"] for one in part["Instances"]}

    assert found("running") == set(old)
    assert found("pending") == set(new)
    assert found("pend*", "running") == {*old, *new}
    codes = aws("DescribeInstances", Filters=[where("instance-state-code", "0")])
    assert [one["Instances"][0]["InstanceId"] for one in codes["Reservations"]] == new


def test_the_status_shows_running_instances_unless_all_are_asked_for(aws: Aws) -> None:
    aws.run()
    assert aws("DescribeInstanceStatus")["InstanceStatuses"] == []
    every = aws("DescribeInstanceStatus", IncludeAllInstances=True)["InstanceStatuses"]
    assert [one["InstanceState"]["Name"] for one in every] == ["pending"]


def test_a_protected_instance_is_not_terminated_and_neither_are_those_named_beside_it(
    aws: Aws,
) -> None:
    (free,) = aws.run()
    (kept,) = aws.run(DisableApiTermination=True)
    with pytest.raises(AwsError, match="disableApiTermination"):
        aws("TerminateInstances", InstanceIds=[free, kept])
    assert aws.phase(free) == "pending"


def test_what_a_launch_template_says_arrives_at_the_instance(aws: Aws) -> None:
    tags = [
        {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}]},
        {"ResourceType": "network-interface", "Tags": [{"Key": "net", "Value": "yes"}]},
    ]  # fmt: skip
    subnet = aws.subnet("us-east-1b")
    aws(
        "CreateLaunchTemplate",
        LaunchTemplateName="node",
        LaunchTemplateData={
            "ImageId": aws.image,
            "InstanceType": "g5.xlarge",
            "UserData": "aGVsbG8=",
            "TagSpecifications": tags,
        },
    )
    (one,) = aws.run(
        ImageId=aws.image,
        InstanceType="g4dn.2xlarge",
        LaunchTemplate={"LaunchTemplateName": "node"},
        SubnetId=subnet,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "b", "Value": "2"}]}],
    )
    shown = aws.instance(one)
    assert shown["InstanceType"] == "g4dn.2xlarge"
    assert shown["SubnetId"] == subnet
    assert shown["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert {tag["Key"]: tag["Value"] for tag in shown["Tags"]} == {"a": "1", "b": "2"}
    found = aws("DescribeNetworkInterfaces", Filters=[where("subnet-id", subnet)])
    assert found["NetworkInterfaces"][0]["TagSet"] == [{"Key": "net", "Value": "yes"}]
    data = aws("DescribeInstanceAttribute", InstanceId=one, Attribute="userData")
    assert data["UserData"] == {"Value": "aGVsbG8="}


def test_a_spot_instance_says_so_and_is_found_by_it(aws: Aws) -> None:
    (one,) = aws.run(**spot())
    aws.run()
    assert aws.instance(one)["InstanceLifecycle"] == "spot"
    assert aws.instance(one)["SpotInstanceRequestId"].startswith("sir-")
    found = aws("DescribeInstances", Filters=[where("instance-lifecycle", "spot")])
    assert [part["Instances"][0]["InstanceId"] for part in found["Reservations"]] == [one]


def test_an_instance_that_spot_takes_back_names_the_reason(aws: Aws) -> None:
    (one,) = aws.run(**spot())
    instances.reclaim(aws.box, one)
    aws.wait(60)
    assert aws.phase(one) == "terminated"
    assert aws.instance(one)["StateReason"]["Code"] == "Server.SpotInstanceTermination"


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"InstanceType": "g9.huge"}, "InvalidParameterValue", "Invalid value 'g9.huge' for InstanceType"),
        ({"InstanceType": "p3.2xlarge"}, "InvalidParameterValue", "p3.2xlarge"),
        ({"ImageId": ""}, "MissingParameter", "ImageId"),
        ({"ImageId": "al2023"}, "InvalidAMIID.Malformed", 'Invalid id: "al2023"'),
        ({"MinCount": 3, "MaxCount": 2}, "InvalidParameterValue", "minCount"),
        ({"Placement": {"AvailabilityZone": "us-east-1e"}}, "Unsupported", "choosing us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1f"),
        ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "InvalidLaunchTemplateName.NotFoundException", "none"),
    ],
)  # fmt: skip
def test_what_ec2_would_not_start_is_refused_in_its_words(
    aws: Aws, params: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(AwsError) as refused:
        aws.run(**params)
    assert refused.value.code == code
    assert words in refused.value.message
    assert aws("DescribeInstances")["Reservations"] == []


@pytest.mark.parametrize("operation", ["TerminateInstances", "StopInstances", "StartInstances", "DescribeInstances"])  # fmt: skip
def test_ids_that_are_none_and_ids_of_nothing_are_told_apart(aws: Aws, operation: str) -> None:
    with pytest.raises(AwsError) as refused:
        aws(operation, InstanceIds=["x"])
    assert refused.value.code == "InvalidInstanceID.Malformed"
    with pytest.raises(AwsError) as refused:
        aws(operation, InstanceIds=["i-0123456789abcdef0"])
    assert refused.value.code == "InvalidInstanceID.NotFound"


def test_an_instance_of_another_region_is_unknown(aws: Aws) -> None:
    (one,) = aws.run()
    with pytest.raises(AwsError, match="does not exist"):
        aws("TerminateInstances", InstanceIds=[one], region="eu-west-1")


def test_launches_above_the_quota_are_refused_and_count_again_when_instances_have_gone(
    aws: Aws,
) -> None:
    faults.add(aws.box, {"kind": "quota", "code": G_ON_DEMAND, "value": 8})
    held = aws.run(2)
    with pytest.raises(AwsError) as refused:
        aws.run()
    assert refused.value.code == "VcpuLimitExceeded"
    assert "current vCPU limit of 8" in refused.value.message
    aws.run(InstanceType="m5.large")  # of another quota
    aws.run(**spot())  # as is spot
    aws("TerminateInstances", InstanceIds=held[:1])
    aws.run()


def test_spot_above_its_quota_is_refused_in_the_words_of_spot(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "quota", "code": "L-3819A6DF", "value": 4})
    aws.run(**spot())
    with pytest.raises(AwsError, match="Max spot instance count exceeded"):
        aws.run(**spot())


def test_types_that_the_catalog_does_not_know_count_their_vcpus_too(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "quota", "code": "L-1216C47A", "value": 6})
    aws.run(InstanceType="c6i.xlarge")
    with pytest.raises(AwsError, match="current vCPU limit of 6"):
        aws.run(InstanceType="c6i.xlarge")


def test_many_clients_at_once_never_pass_the_quota(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "quota", "code": G_ON_DEMAND, "value": 20})
    aws.run()

    def one(_: int) -> str:
        try:
            return aws.run()[0]
        except AwsError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(16)))
    started = [answer for answer in answers if answer.startswith("i-")]
    assert len(set(started)) == len(started) == 4
    assert answers.count("VcpuLimitExceeded") == 12


def test_capacity_that_is_gone_refuses_the_type_in_that_zone_alone(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "capacity", "instance_type": "g4dn.xlarge", "zone": "us-east-1a"})
    here: dict[str, Any] = {"Placement": {"AvailabilityZone": "us-east-1a"}}
    with pytest.raises(AwsError) as refused:
        aws.run(**here)
    assert refused.value.code == "InsufficientInstanceCapacity"
    assert "do not have sufficient g4dn.xlarge capacity" in refused.value.message
    assert "choosing us-east-1b" in refused.value.message
    with pytest.raises(AwsError, match="There is no Spot capacity available"):
        aws.run(**here, **spot())
    aws.run(Placement={"AvailabilityZone": "us-east-1b"})
    aws.run(InstanceType="g5.xlarge", **here)


def test_a_stopped_instance_counts_against_no_quota_and_asks_for_it_when_started(
    aws: Aws,
) -> None:
    faults.add(aws.box, {"kind": "quota", "code": G_ON_DEMAND, "value": 4})
    (one,) = aws.run()
    aws.wait(10)
    aws("StopInstances", InstanceIds=[one])
    assert aws.phase(one) == "stopping"
    aws.wait(60)
    assert aws.phase(one) == "stopped"
    (other,) = aws.run()
    with pytest.raises(AwsError, match="vCPU limit"):
        aws("StartInstances", InstanceIds=[one])
    aws("TerminateInstances", InstanceIds=[other])
    aws("StartInstances", InstanceIds=[one])
    assert aws.phase(one) == "pending"
    aws.wait(10)
    assert aws.phase(one) == "running"
    assert "StateReason" not in aws.instance(one)


def test_what_cannot_be_stopped_or_started_is_refused(aws: Aws) -> None:
    (bought,) = aws.run(**spot())
    (plain,) = aws.run()
    with pytest.raises(AwsError) as refused:
        aws("StopInstances", InstanceIds=[plain])
    assert refused.value.code == "IncorrectInstanceState"
    aws.wait(10)
    with pytest.raises(AwsError) as refused:
        aws("StopInstances", InstanceIds=[plain, bought])
    assert refused.value.code == "UnsupportedOperation"
    assert aws.phase(plain) == "running"
    aws("TerminateInstances", InstanceIds=[plain])
    with pytest.raises(AwsError) as refused:
        aws("StartInstances", InstanceIds=[plain])
    assert refused.value.code == "IncorrectInstanceState"


def test_an_instance_tells_its_cores_and_its_architecture(aws: Aws) -> None:
    (intel,) = aws.run()
    (arm,) = aws.run(InstanceType="g5g.xlarge")
    assert aws.instance(intel)["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 2}
    assert aws.instance(arm)["CpuOptions"] == {"CoreCount": 4, "ThreadsPerCore": 1}
    assert aws.instance(arm)["Architecture"] == "arm64"
