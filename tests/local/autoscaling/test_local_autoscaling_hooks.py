from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.events import InstanceInService
from tests.local.autoscaling.asg_box import Groups

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
ENDING = "autoscaling:EC2_INSTANCE_TERMINATING"


def put(groups: Groups, transition: str, name: str = "hook", **fields: Any) -> None:
    groups(
        "PutLifecycleHook",
        AutoScalingGroupName="gpu",
        LifecycleHookName=name,
        LifecycleTransition=transition,
        **fields,
    )


def states(groups: Groups) -> list[str]:
    return [one["LifecycleState"] for one in groups.group()["Instances"]]


def complete(groups: Groups, result: str, name: str = "hook") -> None:
    groups(
        "CompleteLifecycleAction",
        AutoScalingGroupName="gpu",
        LifecycleHookName=name,
        InstanceId=groups.group()["Instances"][0]["InstanceId"],
        LifecycleActionResult=result,
    )


def test_a_launched_instance_waits_for_its_hook_and_comes_into_service_when_it_continues(
    groups: Groups,
) -> None:
    groups.create()
    put(groups, LAUNCHING)
    groups.set_desired(1)
    groups.until_in_service()
    assert states(groups) == ["Pending:Wait"]
    assert groups.events == []

    complete(groups, "CONTINUE")

    assert states(groups) == ["InService"]
    assert isinstance(groups.events[0], InstanceInService)


def test_an_abandoned_launch_is_terminated_and_another_begins(groups: Groups) -> None:
    groups.create()
    put(groups, LAUNCHING)
    groups.set_desired(1)
    groups.until_in_service()

    complete(groups, "ABANDON")

    assert sorted(states(groups)) == ["Pending", "Terminating"]
    cancelled = next(one for one in groups.activities() if one["StatusCode"] == "Cancelled")
    assert cancelled["StatusMessage"].startswith("Instance failed to complete user's Lifecycle")
    assert cancelled["StatusMessage"].endswith("Lifecycle Action Completed with ABANDON Result")


@pytest.mark.parametrize(
    ("result", "expected"), [("CONTINUE", ["InService"]), ("ABANDON", ["Pending", "Terminating"])]
)
def test_a_hook_that_runs_out_of_time_does_what_its_default_says(
    groups: Groups, result: str, expected: list[str]
) -> None:
    groups.create()
    put(groups, LAUNCHING, HeartbeatTimeout=60, DefaultResult=result)
    groups.set_desired(1)
    groups.until_in_service()

    groups.wait(58)
    assert states(groups) == ["Pending:Wait"]
    groups.wait(3)

    assert sorted(states(groups)) == expected


def test_a_heartbeat_begins_the_time_anew(groups: Groups) -> None:
    groups.create()
    put(groups, LAUNCHING, HeartbeatTimeout=60, DefaultResult="CONTINUE")
    groups.set_desired(1)
    groups.until_in_service()
    groups.wait(50)

    groups(
        "RecordLifecycleActionHeartbeat",
        AutoScalingGroupName="gpu",
        LifecycleHookName="hook",
        InstanceId=groups.group()["Instances"][0]["InstanceId"],
    )
    groups.wait(50)
    assert states(groups) == ["Pending:Wait"]
    groups.wait(15)
    assert states(groups) == ["InService"]


def test_heartbeats_end_after_a_hundred_times_the_hooks_time(groups: Groups) -> None:
    groups.create()
    put(groups, LAUNCHING, HeartbeatTimeout=30, DefaultResult="CONTINUE")
    groups.set_desired(1)
    groups.until_in_service()
    instance = groups.group()["Instances"][0]["InstanceId"]

    waited = 0
    while states(groups) == ["Pending:Wait"] and waited < 4000:
        groups(
            "RecordLifecycleActionHeartbeat",
            AutoScalingGroupName="gpu",
            LifecycleHookName="hook",
            InstanceId=instance,
        )
        groups.wait(25)
        waited += 25

    assert states(groups) == ["InService"]
    assert 2900 <= waited <= 3100


def test_a_terminated_instance_waits_for_its_hook_before_ec2_ends_it(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    put(groups, ENDING)
    groups.set_desired(0)
    instance = groups.group()["Instances"][0]["InstanceId"]

    assert states(groups) == ["Terminating:Wait"]
    assert groups.in_ec2(instance)["State"]["Name"] == "running"

    complete(groups, "CONTINUE")
    assert states(groups) == ["Terminating"]
    groups.wait(40)

    assert states(groups) == []


def test_several_hooks_wait_at_once_and_the_last_one_lets_go(groups: Groups) -> None:
    groups.create()
    put(groups, LAUNCHING, "first")
    put(groups, LAUNCHING, "second")
    groups.set_desired(1)
    groups.until_in_service()

    complete(groups, "CONTINUE", "second")
    assert states(groups) == ["Pending:Wait"]
    complete(groups, "CONTINUE", "first")
    assert states(groups) == ["InService"]


def test_a_queue_hears_of_the_action_with_its_token(groups: Groups) -> None:
    url = groups.queue("hooks", "EC2 Instance-launch Lifecycle Action")
    groups.create(
        LifecycleHookSpecificationList=[
            {
                "LifecycleHookName": "hook",
                "LifecycleTransition": LAUNCHING,
                "NotificationMetadata": "x",
            }
        ],
        DesiredCapacity=1,
    )
    groups.until_in_service()

    (message,) = groups.messages(url)
    token = message["detail"]["LifecycleActionToken"]
    groups(
        "CompleteLifecycleAction",
        AutoScalingGroupName="gpu",
        LifecycleHookName="hook",
        LifecycleActionToken=token,
        LifecycleActionResult="CONTINUE",
    )

    assert message["source"] == "aws.autoscaling"
    assert message["detail"]["NotificationMetadata"] == "x"
    assert states(groups) == ["InService"]


def test_hooks_are_shown_with_what_aws_fills_in(groups: Groups) -> None:
    groups.create()
    put(groups, ENDING, HeartbeatTimeout=300)

    (hook,) = groups("DescribeLifecycleHooks", AutoScalingGroupName="gpu")["LifecycleHooks"]

    assert hook == {
        "LifecycleHookName": "hook",
        "AutoScalingGroupName": "gpu",
        "LifecycleTransition": ENDING,
        "HeartbeatTimeout": 300,
        "GlobalTimeout": 30_000,
        "DefaultResult": "ABANDON",
    }


def test_deleting_a_hook_ends_the_waits_for_it(groups: Groups) -> None:
    groups.create(DesiredCapacity=1)
    groups.until_in_service()
    put(groups, ENDING)
    groups.set_desired(0)

    groups("DeleteLifecycleHook", AutoScalingGroupName="gpu", LifecycleHookName="hook")

    assert states(groups) == ["Terminating"]
    assert groups("DescribeLifecycleHooks", AutoScalingGroupName="gpu")["LifecycleHooks"] == []


@pytest.mark.parametrize(
    ("operation", "params", "words"),
    [
        ("PutLifecycleHook", {"HeartbeatTimeout": 10}, "between 30 and 7200"),
        ("PutLifecycleHook", {"LifecycleTransition": "x"}, "Lifecycle Transition"),
        ("PutLifecycleHook", {"DefaultResult": "x"}, "Default Result"),
        ("CompleteLifecycleAction", {"LifecycleActionResult": "x"}, "Action Result"),
        ("CompleteLifecycleAction", {}, "Either LifecycleActionToken or InstanceId"),
        ("CompleteLifecycleAction", {"LifecycleActionToken": "t"}, "found with token t"),
        ("RecordLifecycleActionHeartbeat", {"InstanceId": "i-1"}, "with instance ID i-1"),
        ("DeleteLifecycleHook", {"LifecycleHookName": "other"}, "No Lifecycle Hook found"),
    ],
)
def test_what_is_no_hook_or_action_is_refused(
    groups: Groups, operation: str, params: dict[str, Any], words: str
) -> None:
    groups.create()
    whole = {
        "AutoScalingGroupName": "gpu",
        "LifecycleHookName": "hook",
        "LifecycleTransition": LAUNCHING,
        "LifecycleActionResult": "CONTINUE",
        **params,
    }

    with pytest.raises(AwsError, match=words) as caught:
        groups(operation, **whole)

    assert caught.value.code == "ValidationError"
