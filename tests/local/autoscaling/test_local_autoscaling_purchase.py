from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lowtide.local.aws import faults
from lowtide.local.aws.errors import AwsError
from tests.local.autoscaling.asg_box import Groups, policy


def types_of(groups: Groups, name: str = "gpu") -> Counter[str]:
    return Counter(one["InstanceType"] for one in groups.group(name)["Instances"])


def spot_count(groups: Groups) -> int:
    found = (groups.in_ec2(one["InstanceId"]) for one in groups.group()["Instances"])
    return sum(one.get("InstanceLifecycle") == "spot" for one in found)


def test_the_base_is_on_demand_and_of_the_rest_the_percentage(groups: Groups) -> None:
    mixed = policy("g4dn.xlarge", OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=25)
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=9)

    assert spot_count(groups) == 6  # 1 base + 25 % of 8 on-demand


def test_a_policy_without_a_percentage_buys_on_demand_only(groups: Groups) -> None:
    mixed = policy("g4dn.xlarge")
    del mixed["InstancesDistribution"]
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=2)

    shown = groups.group()["MixedInstancesPolicy"]["InstancesDistribution"]

    assert spot_count(groups) == 0
    assert shown["OnDemandPercentageAboveBaseCapacity"] == 100
    assert shown["OnDemandAllocationStrategy"] == "prioritized"
    assert shown["SpotAllocationStrategy"] == "lowest-price"


def test_prioritized_on_demand_takes_the_first_type_and_lowest_price_the_cheapest(
    groups: Groups,
) -> None:
    order = ("g5.xlarge", "g4dn.xlarge")
    first = policy(*order, OnDemandPercentageAboveBaseCapacity=100)
    cheap = policy(
        *order, OnDemandPercentageAboveBaseCapacity=100, OnDemandAllocationStrategy="lowest-price"
    )
    groups.create("first", MixedInstancesPolicy=first, DesiredCapacity=2)
    groups.create("cheap", MixedInstancesPolicy=cheap, DesiredCapacity=2)

    assert types_of(groups, "first") == {"g5.xlarge": 2}
    assert types_of(groups, "cheap") == {"g4dn.xlarge": 2}


def test_spot_at_the_lowest_price_spreads_over_its_two_cheapest_pools(groups: Groups) -> None:
    types = ("p4d.24xlarge", "g5.xlarge", "g4dn.xlarge")
    groups.spot("gpu", *types, DesiredCapacity=4)

    shown = groups.group()["MixedInstancesPolicy"]["InstancesDistribution"]

    assert shown["SpotInstancePools"] == 2
    assert types_of(groups) == {"g4dn.xlarge": 2, "g5.xlarge": 2}


def test_one_pool_at_the_lowest_price_is_the_cheapest_alone(groups: Groups) -> None:
    mixed = policy("g5.xlarge", "g4dn.xlarge", SpotInstancePools=1)
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=3)

    assert types_of(groups) == {"g4dn.xlarge": 3}


def test_price_and_capacity_take_the_cheapest_type_that_can_be_had(groups: Groups) -> None:
    mixed = policy("g5.xlarge", "g4dn.xlarge", SpotAllocationStrategy="price-capacity-optimized")
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=1)
    groups.gone("g4dn.xlarge")
    groups.set_desired(2)

    assert types_of(groups) == {"g4dn.xlarge": 1, "g5.xlarge": 1}
    assert not [one for one in groups.activities() if one["StatusCode"] == "Failed"]


@pytest.mark.parametrize("types", [("g5.xlarge", "g4dn.xlarge"), ("g4dn.xlarge", "g5.xlarge")])
def test_capacity_first_leaves_a_pool_that_is_empty(groups: Groups, types: tuple[str, str]) -> None:
    groups.gone(types[0])
    mixed = policy(*types, SpotAllocationStrategy="capacity-optimized-prioritized")
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=1)

    assert types_of(groups) == {types[1]: 1}


def test_weights_count_units_of_the_desired_capacity(groups: Groups) -> None:
    overrides = [
        {"InstanceType": "g4dn.12xlarge", "WeightedCapacity": "4"},
        {"InstanceType": "g4dn.xlarge", "WeightedCapacity": "1"},
    ]
    mixed = policy(overrides=overrides, OnDemandPercentageAboveBaseCapacity=100)
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=6)

    instances = groups.group()["Instances"]

    assert [one["WeightedCapacity"] for one in instances] == ["4", "4"]
    assert groups.group()["DesiredCapacity"] == 6


def test_a_weighted_instance_leaves_only_where_enough_stays(groups: Groups) -> None:
    overrides = [{"InstanceType": "g4dn.12xlarge", "WeightedCapacity": "4"}]
    mixed = policy(overrides=overrides, OnDemandPercentageAboveBaseCapacity=100)
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=8)
    groups.until_in_service()

    groups.set_desired(5)
    assert len(groups.instances()) == 2

    groups.set_desired(4)
    assert len(groups.instances()) == 1


@pytest.mark.parametrize(
    ("mixed", "words"),
    [
        (policy("g4dn.xlarge", SpotAllocationStrategy="best"), "Invalid SpotAllocationStrategy"),
        (policy("g4dn.xlarge", OnDemandAllocationStrategy="best"), "Invalid OnDemandAllocation"),
        (policy("g4dn.xlarge", OnDemandPercentageAboveBaseCapacity=101), "between 0 and 100"),
        (policy("g4dn.xlarge", OnDemandBaseCapacity=-1), "0 or more"),
        (policy("g4dn.xlarge", template="none"), "fully-formed launch template"),
        (policy(overrides=[{"InstanceType": "a", "WeightedCapacity": "0"}]), "between 1 and 999"),
        (
            policy(overrides=[{"InstanceType": "a", "WeightedCapacity": "\N{SUPERSCRIPT TWO}"}]),
            "between 1 and 999",
        ),
        (
            policy(overrides=[{"InstanceType": "a", "WeightedCapacity": "9" * 5000}]),
            "between 1 and 999",
        ),
        (
            policy(
                overrides=[
                    {"InstanceType": "g4dn.xlarge", "WeightedCapacity": "1"},
                    {"InstanceType": "g5.xlarge"},
                ]
            ),
            "for all overrides or for none",
        ),
        (policy(overrides=[{"InstanceRequirements": {}}]), "InstanceRequirements"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(
    groups: Groups, mixed: dict[str, Any], words: str
) -> None:
    with pytest.raises(AwsError, match=words):
        groups.create(MixedInstancesPolicy=mixed)


def test_spot_above_the_highest_price_is_not_bought(groups: Groups) -> None:
    mixed = policy("g4dn.xlarge", SpotMaxPrice="0.001")
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=1)

    (failed,) = groups.activities()

    assert failed["StatusCode"] == "Failed"
    assert "Could not launch Spot Instances. SpotMaxPriceTooLow" in failed["StatusMessage"]


def test_without_capacity_the_activity_fails_in_ec2s_words_and_is_tried_again(
    groups: Groups,
) -> None:
    groups.create()
    groups.gone("g4dn.xlarge")
    groups.set_desired(2)

    (failed,) = groups.activities()
    assert failed["StatusCode"] == "Failed"
    assert failed["Description"].startswith("Launching a new EC2 instance.  Status Reason: We curr")
    assert "do not have sufficient g4dn.xlarge capacity" in failed["StatusMessage"]
    assert failed["StatusMessage"].endswith("Launching EC2 instance failed.")
    assert "increasing the capacity from 0 to 2" in failed["Cause"]
    assert groups.group()["Instances"] == []

    groups.wait(groups.box.settings.delays.launch_retry_s + 1)
    assert [one["StatusCode"] for one in groups.activities()] == ["Failed", "Failed"]

    faults.remove(groups.box)
    groups.wait(groups.box.settings.delays.launch_retry_s + 1)
    groups.until_in_service()
    assert len(groups.instances()) == 2


def test_a_spot_pool_without_capacity_is_told_in_the_words_of_spot(groups: Groups) -> None:
    groups.gone("g4dn.xlarge")
    groups.spot("gpu", "g4dn.xlarge", DesiredCapacity=1)

    (failed,) = groups.activities()

    assert failed["StatusMessage"] == (
        "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that"
        " matches your request. Launching EC2 instance failed."
    )


def test_several_spot_pools_without_capacity_are_one_unfulfillable_request(groups: Groups) -> None:
    groups.gone("g4dn.xlarge")
    groups.gone("g5.xlarge")
    groups.spot("gpu", "g4dn.xlarge", "g5.xlarge", DesiredCapacity=3, zones=3)

    (failed,) = groups.activities()

    assert failed["StatusMessage"].startswith("Could not launch Spot Instances. UnfulfillableCapa")


def test_a_zone_without_capacity_is_left_out(groups: Groups) -> None:
    groups.gone("g4dn.xlarge", zone="us-east-1a")
    groups.create(zones=3, DesiredCapacity=4)

    zones = Counter(one["AvailabilityZone"] for one in groups.group()["Instances"])

    assert zones == {"us-east-1b": 2, "us-east-1c": 2}


@pytest.mark.parametrize(
    ("spot", "words"),
    [
        (True, "Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance"),
        (
            False,
            "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more",
        ),
    ],
)
def test_a_quota_stops_launches_in_ec2s_words(groups: Groups, spot: bool, words: str) -> None:
    code = "L-3819A6DF" if spot else "L-DB2E81BA"
    faults.add(groups.box, {"kind": "quota", "code": code, "value": 8})
    mixed = policy("g4dn.xlarge", OnDemandPercentageAboveBaseCapacity=0 if spot else 100)
    groups.create(MixedInstancesPolicy=mixed, DesiredCapacity=3)

    failed = [one for one in groups.activities() if one["StatusCode"] == "Failed"]

    assert len(groups.group()["Instances"]) == 2  # 4 vCPUs each
    assert failed[0]["StatusMessage"].startswith(words)


def test_a_launch_template_that_is_gone_fails_launches(groups: Groups) -> None:
    groups.create()
    groups("DeleteLaunchTemplate", service="ec2", LaunchTemplateName="node")

    groups.set_desired(1)

    (failed,) = groups.activities()
    assert failed["StatusCode"] == "Failed"
    assert groups.group()["Instances"] == []


def test_a_large_request_takes_what_the_quota_leaves_and_is_one_failed_activity(
    groups: Groups,
) -> None:
    faults.add(groups.box, {"kind": "quota", "code": "L-DB2E81BA", "value": 44})
    groups.create(zones=3, MaxSize=2**31 - 1)

    groups.set_desired(300)

    statuses = Counter(one["StatusCode"] for one in groups.activities())
    assert len(groups.group()["Instances"]) == 11  # 4 vCPUs each
    assert statuses["Failed"] == 1
    with pytest.raises(AwsError, match="groups of at most 1000 instances"):
        groups.set_desired(1001)


def test_one_refusal_of_ec2_is_one_failed_activity_whatever_its_number(groups: Groups) -> None:
    groups.gone("g4dn.xlarge", times=1)
    groups.create(DesiredCapacity=3)

    (failed,) = groups.activities()
    assert failed["StatusCode"] == "Failed"

    groups.wait(groups.box.settings.delays.launch_retry_s + 1)
    assert len(groups.group()["Instances"]) == 3
