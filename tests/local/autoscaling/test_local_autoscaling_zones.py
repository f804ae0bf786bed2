from __future__ import annotations

from collections import Counter

import pytest

from tests.local.autoscaling.asg_box import Groups


def zones(groups: Groups) -> dict[str, int]:
    return dict(Counter(one["AvailabilityZone"][-1] for one in groups.instances()))


@pytest.fixture
def unbalanced(groups: Groups) -> Groups:
    """A group of four in zone a and one in zone b."""
    groups.create(zones=2, DesiredCapacity=8)
    groups.until_in_service()
    in_b = [one for one in groups.instances() if one["AvailabilityZone"] == "us-east-1b"]
    for one in in_b[:3]:
        groups(
            "TerminateInstanceInAutoScalingGroup",
            InstanceId=one["InstanceId"],
            ShouldDecrementDesiredCapacity=True,
        )
    assert zones(groups) == {"a": 4, "b": 1}
    return groups


def test_zones_are_evened_out_by_themselves_and_the_size_stays(unbalanced: Groups) -> None:
    for _ in range(4):
        unbalanced.wait(90)

    assert zones(unbalanced) == {"a": 3, "b": 2}
    assert unbalanced.group()["DesiredCapacity"] == 5
    causes = [one["Cause"] for one in unbalanced.activities()]
    assert any(
        "launched to balance instances in zones us-east-1b with other" in one for one in causes
    )
    assert any("shrinking the capacity from 6 to 5" in one for one in causes)


def test_the_new_instance_is_in_service_before_the_old_one_ends(unbalanced: Groups) -> None:
    unbalanced.wait(62)

    states = Counter(one["LifecycleState"] for one in unbalanced.group()["Instances"])

    assert states["InService"] == 5
    assert states["Pending"] == 1


def test_zones_stay_as_they_are_while_rebalancing_is_suspended(unbalanced: Groups) -> None:
    unbalanced("SuspendProcesses", AutoScalingGroupName="gpu", ScalingProcesses=["AZRebalance"])
    for _ in range(4):
        unbalanced.wait(90)
    assert zones(unbalanced) == {"a": 4, "b": 1}

    unbalanced("ResumeProcesses", AutoScalingGroupName="gpu")
    for _ in range(4):
        unbalanced.wait(90)
    assert zones(unbalanced) == {"a": 3, "b": 2}


def test_zones_stay_as_they_are_while_the_emptier_one_has_no_capacity(unbalanced: Groups) -> None:
    unbalanced.gone("g4dn.xlarge", zone="us-east-1b", times=1)
    for _ in range(4):
        unbalanced.wait(90)
    assert zones(unbalanced) == {"a": 4, "b": 1}
    assert len(unbalanced.group()["Instances"]) == 5

    unbalanced.wait(700)
    unbalanced.wait(90)
    assert zones(unbalanced) == {"a": 3, "b": 2}


def test_a_zone_that_is_new_gets_its_share(groups: Groups) -> None:
    groups.create(DesiredCapacity=4)
    groups.until_in_service()
    both = f"{groups.subnets['us-east-1a']},{groups.subnets['us-east-1b']}"

    groups("UpdateAutoScalingGroup", AutoScalingGroupName="gpu", VPCZoneIdentifier=both)
    for _ in range(6):
        groups.wait(90)

    assert zones(groups) == {"a": 2, "b": 2}


def test_a_smaller_size_in_the_middle_of_balancing_ends_what_was_to_be_replaced(
    unbalanced: Groups,
) -> None:
    unbalanced.wait(62)
    unbalanced.set_desired(4)
    for _ in range(4):
        unbalanced.wait(90)

    assert len(unbalanced.group()["Instances"]) == 4
    assert len(unbalanced.instances()) == 4
