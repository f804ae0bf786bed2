from __future__ import annotations

import pickle
from typing import Any

import pytest

from lowtide.local.aws import faults
from lowtide.local.aws.autoscaling import SERVICE
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.events import InstanceGone, InterruptionNotice
from tests.local.autoscaling.asg_box import Groups, policy


def interrupt(groups: Groups, instance_id: str) -> None:
    SERVICE.timers["interrupt"](groups.box, region="us-east-1", instance_id=instance_id)


def test_spot_gives_notice_takes_the_instance_and_the_group_replaces_it(groups: Groups) -> None:
    groups.spot("gpu", "g4dn.xlarge", DesiredCapacity=1)
    groups.until_in_service()
    taken = groups.instances()[0]["InstanceId"]

    interrupt(groups, taken)

    notice = groups.events[-1]
    assert isinstance(notice, InterruptionNotice)
    assert (notice.instance_id, notice.after_s) == (taken, 120.0)
    groups.wait(118)
    assert [one["InstanceId"] for one in groups.instances()] == [taken]

    groups.wait(3)
    assert groups.in_ec2(taken)["State"]["Name"] == "shutting-down"
    assert groups.in_ec2(taken)["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert [one["LifecycleState"] for one in groups.group()["Instances"]] == ["Pending"]
    gone = groups.events[-1]
    assert isinstance(gone, InstanceGone)
    assert gone.interrupted

    groups.until_in_service()
    (new,) = groups.instances()
    assert new["InstanceId"] != taken
    assert groups.group()["DesiredCapacity"] == 1


def test_with_capacity_rebalance_the_replacement_comes_before_the_end(groups: Groups) -> None:
    groups.spot("gpu", "g4dn.xlarge", DesiredCapacity=2, CapacityRebalance=True)
    groups.until_in_service()
    taken = groups.instances()[0]["InstanceId"]

    interrupt(groups, taken)
    assert len(groups.group()["Instances"]) == 3

    groups.until_in_service()
    assert len(groups.instances()) == 2
    assert [one["InstanceId"] for one in groups.instances(state="Terminating")] == [taken]
    ended = next(one for one in groups.activities() if taken in one["Description"])
    assert "in response to an instance rebalance recommendation" in ended["Cause"]

    groups.wait(180)
    assert len(groups.group()["Instances"]) == 2
    assert groups.group()["DesiredCapacity"] == 2


def test_a_queue_gets_the_warning_that_the_termination_handler_reads(groups: Groups) -> None:
    url = groups.queue("spot", "EC2 Spot Instance Interruption Warning")
    groups.spot("gpu", "g4dn.xlarge", DesiredCapacity=1)
    groups.until_in_service()
    taken = groups.instances()[0]["InstanceId"]

    interrupt(groups, taken)

    (message,) = groups.messages(url)
    assert message["source"] == "aws.ec2"
    assert message["detail"] == {"instance-id": taken, "instance-action": "terminate"}
    assert message["resources"] == [f"arn:aws:ec2:us-east-1a:instance/{taken}"]


def test_what_is_not_spot_or_not_there_cannot_be_interrupted(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()

    with pytest.raises(AwsError, match="is not a Spot Instance"):
        interrupt(groups, groups.instances()[0]["InstanceId"])
    with pytest.raises(AwsError, match="Instance Id not found"):
        interrupt(groups, "i-0123456789abcdef0")


def test_an_instance_that_left_before_its_notice_has_passed_is_not_replaced(
    groups: Groups,
) -> None:
    groups.spot("gpu", "g4dn.xlarge", DesiredCapacity=1)
    groups.until_in_service()
    taken = groups.instances()[0]["InstanceId"]
    interrupt(groups, taken)

    groups("TerminateInstanceInAutoScalingGroup", InstanceId=taken, ShouldDecrementDesiredCapacity=True)  # fmt: skip
    groups.wait(200)

    assert groups.group()["Instances"] == []
    assert sum(isinstance(one, InstanceGone) for one in groups.events) == 1


def test_a_group_with_instances_is_deleted_only_by_force_and_goes_with_the_last_of_them(
    groups: Groups,
) -> None:
    groups.create(DesiredCapacity=2)
    groups.until_in_service()

    with pytest.raises(AwsError, match="while there are instances") as caught:
        groups("DeleteAutoScalingGroup", AutoScalingGroupName="gpu")
    assert caught.value.code == "ResourceInUse"

    groups("DeleteAutoScalingGroup", AutoScalingGroupName="gpu", ForceDelete=True)
    assert groups.group()["Status"] == "Delete in progress"
    assert len(groups.instances(state="Terminating")) == 2
    refused: tuple[tuple[str, dict[str, Any]], ...] = (
        ("SetDesiredCapacity", {"DesiredCapacity": 1}),
        ("UpdateAutoScalingGroup", {"MinSize": 1}),
    )
    for operation, params in refused:
        with pytest.raises(AwsError, match="pending delete"):
            groups(operation, AutoScalingGroupName="gpu", **params)

    groups.wait(40)
    assert groups("DescribeAutoScalingGroups")["AutoScalingGroups"] == []
    assert sum(isinstance(one, InstanceGone) for one in groups.events) == 2


def test_a_group_whose_instances_are_ending_is_not_deleted_without_force(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    groups.set_desired(0)

    with pytest.raises(AwsError, match="while there are scaling activities in pro") as caught:
        groups("DeleteAutoScalingGroup", AutoScalingGroupName="gpu")
    assert caught.value.code == "ScalingActivityInProgress"

    groups.wait(40)
    groups("DeleteAutoScalingGroup", AutoScalingGroupName="gpu")
    assert groups("DescribeAutoScalingGroups")["AutoScalingGroups"] == []


def test_force_does_not_wait_for_hooks_or_launches(groups: Groups) -> None:
    hook = {
        "LifecycleHookName": "slow",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
    }
    groups.create(DesiredCapacity=1, LifecycleHookSpecificationList=[hook])
    groups.until_in_service()
    groups("UpdateAutoScalingGroup", AutoScalingGroupName="gpu", DesiredCapacity=2)
    assert [one["LifecycleState"] for one in groups.group()["Instances"]] == ["Pending:Wait", "Pending"]  # fmt: skip

    groups("DeleteAutoScalingGroup", AutoScalingGroupName="gpu", ForceDelete=True)
    groups.wait(40)

    assert groups("DescribeAutoScalingGroups")["AutoScalingGroups"] == []


def test_a_deleted_groups_activities_are_there_for_who_asks(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups("DeleteAutoScalingGroup", AutoScalingGroupName="gpu", ForceDelete=True)
    groups.wait(40)

    assert groups("DescribeScalingActivities")["Activities"] == []
    found = groups("DescribeScalingActivities", IncludeDeletedGroups=True)["Activities"]
    assert {one["AutoScalingGroupState"] for one in found} == {"Deleted"}
    with pytest.raises(AwsError, match="AutoScalingGroup 'gpu' not found"):
        groups.activities()


def test_suspended_launches_begin_when_they_are_resumed(groups: Groups) -> None:
    groups.create()
    groups("SuspendProcesses", AutoScalingGroupName="gpu", ScalingProcesses=["Launch"])
    groups.set_desired(2)
    assert groups.group()["Instances"] == []
    (suspended,) = groups.group()["SuspendedProcesses"]
    assert suspended["ProcessName"] == "Launch"
    assert suspended["SuspensionReason"].startswith("User suspended at ")

    groups("ResumeProcesses", AutoScalingGroupName="gpu")

    assert len(groups.group()["Instances"]) == 2
    assert groups.group()["SuspendedProcesses"] == []


def test_suspended_termination_keeps_instances(groups: Groups) -> None:
    groups.create(DesiredCapacity=2)
    groups.until_in_service()
    groups("SuspendProcesses", AutoScalingGroupName="gpu", ScalingProcesses=["Terminate"])

    groups.set_desired(0)
    assert len(groups.instances()) == 2

    groups("ResumeProcesses", AutoScalingGroupName="gpu", ScalingProcesses=["Terminate"])
    assert len(groups.instances(state="Terminating")) == 2


@pytest.mark.parametrize("process", ["HealthCheck", "ReplaceUnhealthy"])
def test_suspended_health_checks_leave_instances_alone(groups: Groups, process: str) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    (one,) = groups.instances()
    groups("SuspendProcesses", AutoScalingGroupName="gpu", ScalingProcesses=[process])

    if process == "HealthCheck":
        groups("TerminateInstances", service="ec2", InstanceIds=[one["InstanceId"]])
    else:
        groups("SetInstanceHealth", InstanceId=one["InstanceId"], HealthStatus="Unhealthy")
    groups.wait(60)

    assert [each["InstanceId"] for each in groups.instances()] == [one["InstanceId"]]


def test_an_unknown_process_is_refused(groups: Groups) -> None:
    groups.create()
    with pytest.raises(AwsError, match="Invalid process"):
        groups("SuspendProcesses", AutoScalingGroupName="gpu", ScalingProcesses=["Sleep"])


def test_the_state_goes_on_where_it_was_after_a_restart(groups: Groups) -> None:
    groups.spot("gpu", "g4dn.xlarge", DesiredCapacity=2)
    groups.gone("g4dn.xlarge")
    groups.set_desired(3)

    kept = pickle.dumps((groups.box.states[SERVICE.name], groups.box.due))
    state, due = pickle.loads(kept)  # noqa: S301 - our own, of a moment ago
    groups.box.states[SERVICE.name] = state
    groups.box.due[:] = due
    faults.remove(groups.box)
    groups.wait(groups.box.settings.delays.launch_retry_s + 1)
    groups.until_in_service()

    assert len(groups.instances()) == 3


def test_a_termination_that_ec2_refuses_is_tried_again(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    fault = {"kind": "error", "service": "ec2", "operation": "TerminateInstances", "code": "InternalError", "times": 1}  # fmt: skip
    faults.add(groups.box, fault)

    groups.set_desired(0)
    groups.wait(groups.box.settings.delays.launch_retry_s + 1)
    groups.wait(groups.box.settings.delays.terminate_s + 1)

    assert groups.group()["Instances"] == []


def test_an_update_of_the_policy_keeps_what_it_does_not_name(groups: Groups) -> None:
    groups.spot("gpu", "g4dn.xlarge", "g5.xlarge")
    change: dict[str, Any] = {"InstancesDistribution": {"OnDemandBaseCapacity": 1}}

    groups("UpdateAutoScalingGroup", AutoScalingGroupName="gpu", MixedInstancesPolicy=change)

    shown = groups.group()["MixedInstancesPolicy"]
    assert [one["InstanceType"] for one in shown["LaunchTemplate"]["Overrides"]] == ["g4dn.xlarge", "g5.xlarge"]  # fmt: skip
    assert shown["InstancesDistribution"]["OnDemandBaseCapacity"] == 1
    assert shown["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 0


def test_a_group_can_change_between_a_policy_and_a_template(groups: Groups) -> None:
    groups.create()

    groups("UpdateAutoScalingGroup", AutoScalingGroupName="gpu", MixedInstancesPolicy=policy("g5.xlarge"))  # fmt: skip
    assert "LaunchTemplate" not in groups.group()

    template = {"LaunchTemplateName": "node", "Version": "1"}
    groups("UpdateAutoScalingGroup", AutoScalingGroupName="gpu", LaunchTemplate=template)
    assert "MixedInstancesPolicy" not in groups.group()
    assert groups.group()["LaunchTemplate"]["Version"] == "1"
