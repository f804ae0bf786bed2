from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.autoscaling.asg_box import Groups


def tag(group: str, key: str, value: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": key,
        "Value": value,
        "PropagateAtLaunch": False,
        **fields,
    }


def names(groups: Groups, *filters: tuple[str, list[str]]) -> list[str]:
    wanted = [{"Name": name, "Values": values} for name, values in filters]
    found = groups("DescribeAutoScalingGroups", Filters=wanted)["AutoScalingGroups"]
    return [one["AutoScalingGroupName"] for one in found]


@pytest.fixture
def tagged(groups: Groups) -> Groups:
    for name, owner in (("a", "tide"), ("b", "tide"), ("c", "other")):
        groups.create(name, Tags=[tag(name, "on", "true"), tag(name, f"cluster/{owner}", "owned")])
    groups("CreateOrUpdateTags", Tags=[tag("b", "on", "false")])
    return groups


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("tag-key", ["on"])], ["a", "b", "c"]),
        ([("tag-key", ["on"]), ("tag-key", ["cluster/tide"])], ["a", "b"]),
        ([("tag:on", ["true"])], ["a", "c"]),
        ([("tag:on", ["true", "false"])], ["a", "b", "c"]),
        ([("tag:on", ["true"]), ("tag:cluster/tide", ["owned"])], ["a"]),
        ([("tag-value", ["false"])], ["b"]),
        ([("tag:absent", ["x"])], []),
    ],
)
def test_groups_are_found_by_tags_all_filters_and_any_value(
    tagged: Groups, filters: list[tuple[str, list[str]]], expected: list[str]
) -> None:
    assert names(tagged, *filters) == expected


def test_tags_are_changed_deleted_and_listed(tagged: Groups) -> None:
    tagged("DeleteTags", Tags=[{"ResourceId": "a", "ResourceType": "auto-scaling-group", "Key": "on"}])  # fmt: skip

    found = tagged("DescribeTags", Filters=[{"Name": "auto-scaling-group", "Values": ["a", "b"]}])

    assert [(one["ResourceId"], one["Key"], one["Value"]) for one in found["Tags"]] == [
        ("a", "cluster/tide", "owned"),
        ("b", "cluster/tide", "owned"),
        ("b", "on", "false"),
    ]
    by_key = tagged("DescribeTags", Filters=[{"Name": "key", "Values": ["on"]}])["Tags"]
    assert [one["ResourceId"] for one in by_key] == ["b", "c"]
    spread = [{"Name": "propagate-at-launch", "Values": ["true"]}]
    assert tagged("DescribeTags", Filters=spread)["Tags"] == []


def test_a_group_has_at_most_fifty_tags(groups: Groups) -> None:
    groups.create(Tags=[tag("gpu", f"k{number}") for number in range(50)])

    with pytest.raises(AwsError) as caught:
        groups("CreateOrUpdateTags", Tags=[tag("gpu", "one-more")])

    assert caught.value.code == "LimitExceeded"
    assert len(groups.group()["Tags"]) == 50


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Key": "aws:mine"}, "reserved"),
        ({"Key": "k" * 129}, "1 to 128 characters"),
        ({"Value": "v" * 257}, "at most 256"),
        ({"ResourceType": "instance"}, "auto-scaling-group"),
        ({"ResourceId": "none"}, "AutoScalingGroup 'none' not found"),
        ({"ResourceId": ""}, "ResourceId"),
    ],
)
def test_a_tag_that_cannot_be_is_refused_and_none_of_its_request_is_kept(
    groups: Groups, change: dict[str, Any], words: str
) -> None:
    groups.create()

    with pytest.raises(AwsError, match=words):
        groups("CreateOrUpdateTags", Tags=[tag("gpu", "good"), {**tag("gpu", "bad"), **change}])

    assert groups.group()["Tags"] == []


def test_an_unknown_filter_is_refused(groups: Groups) -> None:
    with pytest.raises(AwsError, match="Invalid filter name 'color'"):
        names(groups, ("color", ["red"]))


@pytest.mark.parametrize(
    ("operation", "key", "params"),
    [
        ("DescribeAutoScalingGroups", "AutoScalingGroups", {}),
        ("DescribeAutoScalingInstances", "AutoScalingInstances", {}),
        ("DescribeScalingActivities", "Activities", {}),
        ("DescribeTags", "Tags", {}),
    ],
)
def test_lists_come_in_pages(
    groups: Groups, operation: str, key: str, params: dict[str, Any]
) -> None:
    for name in "abc":
        groups.create(name, DesiredCapacity=1, Tags=[tag(name, "on")])

    found: list[Any] = []
    token: dict[str, str] = {}
    for _ in range(3):
        answer = groups(operation, MaxRecords=1, **params, **token)
        assert len(answer[key]) == 1
        found += answer[key]
        token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else {}

    assert not token
    assert found == groups(operation)[key]


def test_a_token_or_size_that_cannot_be_is_refused(groups: Groups) -> None:
    with pytest.raises(AwsError) as caught:
        groups("DescribeAutoScalingGroups", NextToken="???")
    assert caught.value.code == "InvalidNextToken"
    with pytest.raises(AwsError, match="less than or equal to 100"):
        groups("DescribeAutoScalingGroups", MaxRecords=101)


def test_instances_are_listed_with_their_group(groups: Groups) -> None:
    groups.create("a", DesiredCapacity=1)
    groups.create("b", DesiredCapacity=1)
    wanted = groups.group("b")["Instances"][0]["InstanceId"]

    (found,) = groups("DescribeAutoScalingInstances", InstanceIds=[wanted])["AutoScalingInstances"]

    assert found["AutoScalingGroupName"] == "b"
    assert found["HealthStatus"] == "HEALTHY"
    assert found["LifecycleState"] == "Pending"
    assert found["LaunchTemplate"]["LaunchTemplateName"] == "node"


def test_activities_are_newest_first_over_all_groups_and_by_id(groups: Groups) -> None:
    groups.create("a", DesiredCapacity=1)
    groups.create("b", DesiredCapacity=1)

    found = groups("DescribeScalingActivities")["Activities"]
    by_id = groups("DescribeScalingActivities", ActivityIds=[found[1]["ActivityId"]])["Activities"]

    assert [one["AutoScalingGroupName"] for one in found] == ["b", "a"]
    assert by_id == [found[1]]


def test_the_first_group_makes_the_service_linked_role(groups: Groups) -> None:
    groups.create("a")
    groups.create("b")

    role = groups("GetRole", service="iam", RoleName="AWSServiceRoleForAutoScaling")["Role"]

    assert role["Arn"] == groups.group("a")["ServiceLinkedRoleARN"]
    assert groups.group("b")["ServiceLinkedRoleARN"] == role["Arn"]


def test_a_group_shows_what_aws_fills_in(groups: Groups) -> None:
    groups.create(zones=2)

    shown = groups.group()

    assert shown["DefaultCooldown"] == 300
    assert shown["HealthCheckType"] == "EC2"
    assert shown["TerminationPolicies"] == ["Default"]
    assert shown["AvailabilityZones"] == ["us-east-1a", "us-east-1b"]
    assert shown["LaunchTemplate"]["Version"] == "$Default"
    assert shown["AutoScalingGroupARN"].endswith(":autoScalingGroupName/gpu")
    assert "CapacityRebalance" not in shown


def test_limits_metrics_and_lists_of_what_can_be_are_told(groups: Groups) -> None:
    groups.create()
    groups("EnableMetricsCollection", AutoScalingGroupName="gpu", Granularity="1Minute", Metrics=["GroupMinSize"])  # fmt: skip

    assert groups("DescribeAccountLimits")["NumberOfAutoScalingGroups"] == 1
    assert groups.group()["EnabledMetrics"] == [{"Metric": "GroupMinSize", "Granularity": "1Minute"}]  # fmt: skip
    groups("DisableMetricsCollection", AutoScalingGroupName="gpu")
    assert groups.group()["EnabledMetrics"] == []
    assert groups("DescribeLaunchConfigurations") == {"LaunchConfigurations": []}
    processes = groups("DescribeScalingProcessTypes")["Processes"]
    assert {"ProcessName": "AZRebalance"} in processes
    assert "Default" in groups("DescribeTerminationPolicyTypes")["TerminationPolicyTypes"]


def test_what_is_not_served_is_refused_and_never_reaches_another_service(groups: Groups) -> None:
    with pytest.raises(AwsError, match="does not serve autoscaling:PutScalingPolicy"):
        groups("PutScalingPolicy", AutoScalingGroupName="gpu", PolicyName="p")
