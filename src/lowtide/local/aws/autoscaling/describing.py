"""Groups, instances and activities as the Describe operations show them.

Why it exists: the autoscaler reads everything here; a field that it needs and does not find stops it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.autoscaling import tags
from lowtide.local.aws.autoscaling.paging import page
from lowtide.local.aws.autoscaling.requests import override_of, refuse
from lowtide.local.aws.autoscaling.state import Group, Member, group_of, state_of
from lowtide.local.aws.box import Box
from lowtide.local.aws.service import Call

#: What an activity of a page holds at most: DescribeScalingActivities answers 100.
_ACTIVITIES = 100
_GROUPS = 50
_NOT_SHOWN = ("LifecycleHookSpecificationList", "SkipZonalShiftValidation")


def groups(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeAutoScalingGroups, in the order of names."""
    names = call.params.get("AutoScalingGroupNames") or []
    filters = call.params.get("Filters") or []
    _refuse_filters(filters)
    found = [
        one
        for one in state_of(box).of_region(call.region)
        if (not names or one.name in names) and _is_asked(one, filters)
    ]
    answer = page(found, call.params, key="AutoScalingGroups", usual=_GROUPS)
    answer["AutoScalingGroups"] = [_group(box, one) for one in answer["AutoScalingGroups"]]
    return answer


def instances(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeAutoScalingInstances."""
    ids = call.params.get("InstanceIds") or []
    found = [
        {"AutoScalingGroupName": group.name, **_instance(box, group, one)}
        for group in state_of(box).of_region(call.region)
        for one in group.members.values()
        if not ids or one.id in ids
    ]
    for one in found:
        one["HealthStatus"] = one["HealthStatus"].upper()
    return page(found, call.params, key="AutoScalingInstances", usual=50, largest=50)


def activities(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeScalingActivities, newest first."""
    state, params = state_of(box), call.params
    name = params.get("AutoScalingGroupName")
    past = state.past.get(call.region, []) if params.get("IncludeDeletedGroups") else []
    if name:
        past = [one for one in past if one["AutoScalingGroupName"] == name]
        if not past or (call.region, name) in state.groups:
            past = [*group_of(box, call.region, name).activities, *past]
        found = past
    else:
        found = [one for group in state.of_region(call.region) for one in group.activities]
        found = sorted([*found, *past], key=lambda one: one["StartTime"], reverse=True)
    ids = params.get("ActivityIds") or []
    if ids:
        found = [one for one in found if one["ActivityId"] in ids]
    return page(found, params, key="Activities", usual=_ACTIVITIES)


def account_limits(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeAccountLimits."""
    held = sum(1 for _ in state_of(box).of_region(call.region))
    return {
        "MaxNumberOfAutoScalingGroups": 500,
        "MaxNumberOfLaunchConfigurations": 200,
        "NumberOfAutoScalingGroups": held,
        "NumberOfLaunchConfigurations": 0,
    }


def _group(box: Box, group: Group) -> dict[str, Any]:
    decided = state_of(box).decided(group)
    shown = {
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": decided.config.min_size,
        "MaxSize": decided.config.max_size,
        "DesiredCapacity": decided.desired,
        "CreatedTime": group.created,
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "TrafficSources": [],
        **{key: value for key, value in group.settings.items() if key not in _NOT_SHOWN},
        "AvailabilityZones": list(group.subnets),
        "Instances": [_instance(box, group, one) for one in group.members.values()],
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": why} for name, why in group.suspended.items()
        ],
        "EnabledMetrics": [
            {"Metric": name, "Granularity": value} for name, value in group.metrics.items()
        ],
        "Tags": [tags.shown(group, key) for key in sorted(group.tags)],
    }
    if group.deleting:
        shown["Status"] = "Delete in progress"
    return {key: value for key, value in shown.items() if value is not None}


def _instance(box: Box, group: Group, member: Member) -> dict[str, Any]:
    decided = state_of(box).decided(group).instance(member.id)
    shown: dict[str, Any] = {
        "InstanceId": member.id,
        "InstanceType": member.instance_type,
        "AvailabilityZone": member.zone,
        "LifecycleState": member.lifecycle_state,
        "HealthStatus": "Healthy" if member.healthy else "Unhealthy",
        "ProtectedFromScaleIn": decided is not None and decided.protected,
    }
    if member.template:
        shown["LaunchTemplate"] = member.template
    weight = override_of(group, member.instance_type).get("WeightedCapacity")
    if weight:
        shown["WeightedCapacity"] = weight
    return shown


def _refuse_filters(filters: Sequence[Mapping[str, Any]]) -> None:
    for one in filters:
        name = one.get("Name", "")
        if name not in ("tag-key", "tag-value") and not name.startswith("tag:"):
            raise refuse(
                f"Invalid filter name '{name}': groups are filtered by tag-key, tag-value and tag:KEY."
            )


def _is_asked(group: Group, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Every filter must hold; of a filter's values one is enough (API reference, Filter)."""
    for one in filters:
        name, values = one.get("Name", ""), one.get("Values") or []
        if name == "tag-key":
            fits = any(key in group.tags for key in values)
        elif name == "tag-value":
            fits = any(tag.value in values for tag in group.tags.values())
        else:
            tag = group.tags.get(name.removeprefix("tag:"))
            fits = tag is not None and tag.value in values
        if not fits:
            return False
    return True
