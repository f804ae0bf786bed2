from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.events import InstanceGone, InstanceInService
from tests.local.autoscaling.asg_box import USER_DATA, Groups, policy, template


def refused(groups: Groups, operation: str, **params: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        groups(operation, **params)
    return caught.value


def test_instances_are_pending_until_they_have_booted_and_then_in_service(groups: Groups) -> None:
    groups.create(DesiredCapacity=2)
    assert [one["LifecycleState"] for one in groups.group()["Instances"]] == ["Pending"] * 2
    assert not groups.events

    groups.until_in_service()

    assert len(groups.instances()) == 2
    assert {one["HealthStatus"] for one in groups.instances()} == {"Healthy"}
    assert {one.group for one in groups.events} == {"gpu"}
    assert groups.in_ec2(groups.instances()[0]["InstanceId"])["State"]["Name"] == "running"


def test_whoever_makes_nodes_hears_of_user_data_zone_and_purchase(groups: Groups) -> None:
    groups.spot("gpu", "g4dn.xlarge", DesiredCapacity=1)
    groups.until_in_service()

    (event,) = groups.events
    instance = groups.in_ec2(groups.instances()[0]["InstanceId"])

    assert isinstance(event, InstanceInService)
    assert event.user_data == USER_DATA
    assert event.capacity_type == "spot"
    assert event.zone == "us-east-1a"
    assert event.private_ip == instance["PrivateIpAddress"]
    assert event.tags["aws:autoscaling:groupName"] == "gpu"
    assert instance["InstanceLifecycle"] == "spot"


def test_tags_that_propagate_are_on_the_instances(groups: Groups) -> None:
    tags = [
        {"Key": "team", "Value": "ml", "PropagateAtLaunch": True},
        {"Key": "note", "Value": "here", "PropagateAtLaunch": False},
    ]
    groups.create(DesiredCapacity=1, Tags=tags)

    found = groups.in_ec2(groups.group()["Instances"][0]["InstanceId"])["Tags"]

    assert {"Key": "team", "Value": "ml"} in found
    assert {"Key": "aws:autoscaling:groupName", "Value": "gpu"} in found
    assert "note" not in {one["Key"] for one in found}


def test_a_group_in_three_zones_is_balanced(groups: Groups) -> None:
    groups.create(zones=3, DesiredCapacity=7)

    zones = Counter(one["AvailabilityZone"] for one in groups.group()["Instances"])

    assert sorted(zones.values()) == [2, 2, 3]


def test_a_group_that_shrinks_keeps_its_zones_balanced(groups: Groups) -> None:
    groups.create(zones=3, DesiredCapacity=9)
    groups.until_in_service()

    groups.set_desired(4)

    zones = Counter(one["AvailabilityZone"] for one in groups.instances())
    assert sorted(zones.values()) == [1, 1, 2]


@pytest.mark.parametrize(
    ("desired", "words"),
    [
        (4, "New SetDesiredCapacity value 4 is above max value 3 for the AutoScalingGroup."),
        (0, "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup."),
    ],
)
def test_a_desired_capacity_outside_the_bounds_is_refused_as_aws_does(
    groups: Groups, desired: int, words: str
) -> None:
    groups.create(MinSize=1, MaxSize=3)

    with pytest.raises(AwsError) as caught:
        groups.set_desired(desired)

    assert (caught.value.code, caught.value.message) == ("ValidationError", words)
    assert groups.group()["DesiredCapacity"] == 1


def test_termination_with_decrement_lowers_the_size_at_once_and_the_instance_ends_later(
    groups: Groups,
) -> None:
    groups.create(DesiredCapacity=2)
    groups.until_in_service()
    gone = groups.instances()[0]["InstanceId"]

    answer = groups(
        "TerminateInstanceInAutoScalingGroup", InstanceId=gone, ShouldDecrementDesiredCapacity=True
    )

    assert answer["Activity"]["Description"] == f"Terminating EC2 instance: {gone}"
    assert "shrinking the capacity from 2 to 1" in answer["Activity"]["Cause"]
    assert groups.group()["DesiredCapacity"] == 1
    assert [one["InstanceId"] for one in groups.instances(state="Terminating")] == [gone]
    assert groups.in_ec2(gone)["State"]["Name"] == "shutting-down"

    groups.wait(groups.box.settings.delays.terminate_s + 1)

    assert len(groups.group()["Instances"]) == 1
    assert groups.in_ec2(gone)["State"]["Name"] == "terminated"
    assert isinstance(groups.events[-1], InstanceGone)
    assert groups.events[-1].instance_id == gone
    assert groups.activities()[0]["StatusCode"] == "Successful"


def test_termination_without_decrement_launches_another(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    gone = groups.instances()[0]["InstanceId"]

    groups("TerminateInstanceInAutoScalingGroup", InstanceId=gone, ShouldDecrementDesiredCapacity=False)  # fmt: skip

    states = {one["InstanceId"] == gone: one["LifecycleState"] for one in groups.group()["Instances"]}  # fmt: skip
    assert states == {True: "Terminating", False: "Pending"}
    newest = groups.activities()[0]
    assert "in response to an unhealthy instance needing to be replaced" in newest["Cause"]


def test_a_termination_that_would_go_below_the_minimum_is_refused(groups: Groups) -> None:
    groups.create(MinSize=1)
    groups.until_in_service()
    only = groups.instances()[0]["InstanceId"]

    error = refused(
        groups,
        "TerminateInstanceInAutoScalingGroup",
        InstanceId=only,
        ShouldDecrementDesiredCapacity=True,
    )

    assert error.code == "ValidationError"
    assert error.message.startswith("Currently, desiredSize equals minSize (1).")
    assert groups.instances()


def test_terminating_an_instance_that_is_terminating_changes_nothing(groups: Groups) -> None:
    groups.create(DesiredCapacity=2)
    groups.until_in_service()
    gone = groups.instances()[0]["InstanceId"]
    params = {"InstanceId": gone, "ShouldDecrementDesiredCapacity": True}

    first = groups("TerminateInstanceInAutoScalingGroup", **params)["Activity"]["ActivityId"]
    second = groups("TerminateInstanceInAutoScalingGroup", **params)["Activity"]["ActivityId"]

    assert first == second
    assert groups.group()["DesiredCapacity"] == 1


def test_an_unknown_instance_is_refused(groups: Groups) -> None:
    error = refused(
        groups,
        "TerminateInstanceInAutoScalingGroup",
        InstanceId="i-0123456789abcdef0",
        ShouldDecrementDesiredCapacity=True,
    )
    assert error.message.startswith("Instance Id not found")


def test_a_pending_instance_can_be_terminated(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    (pending,) = groups.group()["Instances"]

    groups(
        "TerminateInstanceInAutoScalingGroup",
        InstanceId=pending["InstanceId"],
        ShouldDecrementDesiredCapacity=True,
    )
    groups.wait(groups.box.settings.delays.terminate_s + 60)

    assert groups.group()["Instances"] == []
    assert not any(isinstance(one, InstanceInService) for one in groups.events)


def test_launches_are_given_up_when_the_size_falls_before_they_are_in_service(
    groups: Groups,
) -> None:
    groups.create(DesiredCapacity=3)
    groups.set_desired(1)

    groups.wait(120)

    assert len(groups.instances()) == 1
    assert len(groups.group()["Instances"]) == 1
    statuses = Counter(one["StatusCode"] for one in groups.activities())
    assert statuses == {"Successful": 3, "Cancelled": 2}


def test_new_bounds_move_the_desired_capacity_inside(groups: Groups) -> None:
    groups.create(DesiredCapacity=4)

    groups("UpdateAutoScalingGroup", AutoScalingGroupName="gpu", MaxSize=2)
    assert groups.group()["DesiredCapacity"] == 2

    groups("UpdateAutoScalingGroup", AutoScalingGroupName="gpu", MinSize=3, MaxSize=5)
    assert groups.group()["DesiredCapacity"] == 3


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"MaxSize": 2**31}, "Value '2147483648' at 'maxSize' failed to satisfy constraint: Member must have value less"),
        ({"MinSize": 5, "MaxSize": 3}, "Max bound, 3, must be greater than or equal to min bound, 5"),
        ({"DesiredCapacity": 11}, "Desired capacity:11 must be between"),
        ({"MinSize": -1}, "0 or more"),
        ({"VPCZoneIdentifier": ""}, "At least one Availability Zone or VPC Subnet is required."),
        ({"VPCZoneIdentifier": "subnet-00000000000000000"}, "subnet-00000000000000000"),
        ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "fully-formed launch template"),
        ({"LaunchTemplate": None}, "must contain either LaunchTemplate"),
        ({"TerminationPolicies": ["Youngest"]}, "Invalid termination policy: Youngest"),
        ({"MinSize": 2000, "MaxSize": 3000}, "at most 1000 instances"),
        ({"LaunchConfigurationName": "old"}, "does not serve LaunchConfigurationName"),
        ({"MixedInstancesPolicy": policy("g4dn.xlarge")}, "must contain either"),
    ],
)  # fmt: skip
def test_a_group_that_cannot_be_is_refused_and_leaves_nothing(
    groups: Groups, params: dict[str, Any], words: str
) -> None:
    whole = {"LaunchTemplate": {"LaunchTemplateName": "node"}, **params}

    with pytest.raises(AwsError, match=words) as caught:
        groups.create(**whole)

    assert caught.value.code == "ValidationError"
    assert groups("DescribeAutoScalingGroups")["AutoScalingGroups"] == []


def test_a_second_group_of_a_name_is_refused(groups: Groups) -> None:
    groups.create()

    with pytest.raises(AwsError, match="A group with the name gpu already exists") as caught:
        groups.create()

    assert caught.value.code == "AlreadyExists"


def test_the_newest_template_version_is_launched_where_the_group_asks_for_it(
    groups: Groups,
) -> None:
    groups.create("latest", LaunchTemplate={"LaunchTemplateName": "node", "Version": "$Latest"})
    groups.create("default")
    groups(
        "CreateLaunchTemplateVersion",
        service="ec2",
        LaunchTemplateName="node",
        LaunchTemplateData={"ImageId": "ami-0fedcba9876543210", "InstanceType": "g5.xlarge"},
    )

    for name in ("latest", "default"):
        groups.set_desired(1, name)

    newest, usual = (groups.group(one)["Instances"][0] for one in ("latest", "default"))
    assert (newest["InstanceType"], newest["LaunchTemplate"]["Version"]) == ("g5.xlarge", "2")
    assert (usual["InstanceType"], usual["LaunchTemplate"]["Version"]) == ("g4dn.xlarge", "1")
    assert groups.group("latest")["LaunchTemplate"]["Version"] == "$Latest"


def test_a_template_that_asks_for_spot_launches_spot(groups: Groups) -> None:
    template(groups, "cheap", InstanceMarketOptions={"MarketType": "spot"})
    groups.create(LaunchTemplate={"LaunchTemplateName": "cheap"}, DesiredCapacity=1)

    (one,) = groups.group()["Instances"]

    assert groups.in_ec2(one["InstanceId"])["InstanceLifecycle"] == "spot"


def test_a_protected_instance_stays_when_the_group_shrinks(groups: Groups) -> None:
    groups.create(DesiredCapacity=3)
    groups.until_in_service()
    kept = groups.instances()[0]["InstanceId"]
    groups(
        "SetInstanceProtection",
        AutoScalingGroupName="gpu",
        InstanceIds=[kept],
        ProtectedFromScaleIn=True,
    )

    groups.set_desired(1)

    assert [one["InstanceId"] for one in groups.instances()] == [kept]
    assert groups.instances()[0]["ProtectedFromScaleIn"]


def test_an_unhealthy_instance_is_replaced(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    (ill,) = groups.instances()

    groups("SetInstanceHealth", InstanceId=ill["InstanceId"], HealthStatus="Unhealthy")
    groups.wait(120)

    (well,) = groups.instances()
    assert well["InstanceId"] != ill["InstanceId"]
    ended = [one for one in groups.activities() if one["Description"].startswith("Terminating")]
    assert "in response to a user health-check" in ended[0]["Cause"]


def test_an_instance_that_is_ended_in_ec2_is_replaced(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    (gone,) = groups.instances()

    groups("TerminateInstances", service="ec2", InstanceIds=[gone["InstanceId"]])
    groups.wait(60)

    (new,) = groups.instances()
    assert new["InstanceId"] != gone["InstanceId"]
    causes = " ".join(one["Cause"] for one in groups.activities())
    assert "in response to an EC2 health check indicating it has been terminated" in causes


def test_instances_can_leave_a_group_and_join_it_again(groups: Groups) -> None:
    groups.create(DesiredCapacity=2)
    groups.until_in_service()
    one = groups.instances()[0]["InstanceId"]

    groups(
        "DetachInstances",
        AutoScalingGroupName="gpu",
        InstanceIds=[one],
        ShouldDecrementDesiredCapacity=True,
    )
    assert groups.group()["DesiredCapacity"] == len(groups.instances()) == 1
    assert groups.in_ec2(one)["State"]["Name"] == "running"

    groups("AttachInstances", AutoScalingGroupName="gpu", InstanceIds=[one])
    assert groups.group()["DesiredCapacity"] == len(groups.instances()) == 2
    assert one in {each["InstanceId"] for each in groups.instances()}


def test_cooldown_holds_back_only_those_who_honor_it(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)

    error = refused(
        groups,
        "SetDesiredCapacity",
        AutoScalingGroupName="gpu",
        DesiredCapacity=2,
        HonorCooldown=True,
    )
    groups.set_desired(2)

    assert error.code == "ScalingActivityInProgress"
    assert groups.group()["DesiredCapacity"] == 2
