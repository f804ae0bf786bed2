"""CreateAutoScalingGroup, UpdateAutoScalingGroup, DeleteAutoScalingGroup and SetDesiredCapacity.

Why it exists: what a request says becomes the configuration that ``cloud`` decides by, or a refusal in AWS's words.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lowtide.cloud import autoscaling
from lowtide.local.aws.autoscaling import activities, causes, hooks, leaving, tags
from lowtide.local.aws.autoscaling.effects import carry_out, look_at_zones
from lowtide.local.aws.autoscaling.requests import (
    TERMINATION_POLICIES,
    complete_settings,
    config_of,
    refreshed,
    refuse,
    refuse_size,
)
from lowtide.local.aws.autoscaling.state import Group, forget, group_of, now_ms, state_of
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.model.asg import Lifecycle

#: In the order in which a group shows them; sizes, tags and hooks are kept elsewhere.
SETTINGS: Mapping[str, Any] = {
    "DefaultCooldown": 300,
    "HealthCheckType": "EC2",
    "HealthCheckGracePeriod": 0,
    "TerminationPolicies": ["Default"],
    "NewInstancesProtectedFromScaleIn": False,
    "CapacityRebalance": None,
}
_NOT_SETTINGS = (
    "AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "Tags", "LifecycleHookSpecificationList",
)  # fmt: skip
_TEMPLATES = ("LaunchTemplate", "MixedInstancesPolicy")
_PLACES = ("VPCZoneIdentifier", "AvailabilityZones", "AvailabilityZoneIds")
_NOT_SERVED = ("LaunchConfigurationName", "InstanceId", "AvailabilityZoneIds")
_BUSY = "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group."
_INSTANCES_LEFT = (
    "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance"
    " request(s) still in the group."
)


def create(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateAutoScalingGroup."""
    params, state = call.params, state_of(box)
    name = params["AutoScalingGroupName"]
    known = state.groups.get((call.region, name))
    if known is not None:
        pending = " and is pending delete" if known.deleting else ""
        raise AwsError(
            "AlreadyExists",
            "AutoScalingGroup by this name already exists - A group with the name"
            f" {name} already exists{pending}",
        )
    _refuse_unknown(params)
    if all(params.get(one) for one in _TEMPLATES):
        raise refuse(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or"
            " MixedInstancesPolicy parameter."
        )
    given = {key: value for key, value in params.items() if key not in _NOT_SETTINGS}
    group = Group(
        region=call.region,
        name=name,
        arn=_arn(box, call.region, name),
        created=box.now(),
        settings={**SETTINGS, "ServiceLinkedRoleARN": _role(box, call.region), **given},
        tags=tags.given(params.get("Tags") or [], group=name),
    )
    complete_settings(box, group)
    smallest, largest = int(params["MinSize"]), int(params["MaxSize"])
    desired = int(params.get("DesiredCapacity", smallest))
    config = config_of(box, group, smallest=smallest, largest=largest, desired=desired)
    for one in params.get("LifecycleHookSpecificationList") or []:
        hooks.put(group, one)
    state.groups[call.region, name] = group
    change = autoscaling.add_group(state.cloud(call.region), config, now_ms(box))
    carry_out(box, group, change, causes.created(desired))
    return {}


def update(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdateAutoScalingGroup. Sizes that leave the desired capacity outside move it, unless the request names one."""
    params, state = call.params, state_of(box)
    group = alive(group_of(box, call.region, params["AutoScalingGroupName"]))
    _refuse_unknown(params)
    changed = dataclasses.replace(group, settings=_merged(group, params))
    if any(params.get(one) for one in (*_TEMPLATES, *_PLACES)):
        complete_settings(box, changed)
    decided = state.decided(group)
    smallest = int(params.get("MinSize", decided.config.min_size))
    largest = int(params.get("MaxSize", decided.config.max_size))
    desired = params.get("DesiredCapacity")
    if desired is None:
        desired = max(smallest, min(largest, decided.desired))
    config = config_of(box, changed, smallest=smallest, largest=largest, desired=int(desired))
    group.settings, group.subnets = changed.settings, changed.subnets
    change = autoscaling.update_group(state.cloud(group.region), config, now_ms(box))
    why = causes.updated(smallest, largest, decided.desired, int(desired))
    carry_out(box, group, change, why)
    look_at_zones(box, group, box.settings.delays.launch_retry_s)
    return {}


def set_desired(box: Box, call: Call) -> Mapping[str, Any]:
    """SetDesiredCapacity."""
    params, state = call.params, state_of(box)
    group = alive(group_of(box, call.region, params["AutoScalingGroupName"]))
    if params.get("HonorCooldown"):
        _refuse_in_cooldown(box, group)
    refreshed(box, group)
    old = state.decided(group).desired
    desired = int(params["DesiredCapacity"])
    refuse_size(min(desired, state.decided(group).config.max_size))
    outcome = autoscaling.set_desired(state.cloud(group.region), group.name, desired, now_ms(box))
    carry_out(box, group, outcome, causes.set_to(old, desired))
    return {}


def delete(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteAutoScalingGroup. Without force the group must be empty and at rest."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    if call.params.get("ForceDelete"):
        _empty(box, group)
        return {}
    if group.deleting or any(one.is_leaving for one in group.members.values()):
        raise AwsError("ScalingActivityInProgress", _BUSY)
    if group.members:
        raise AwsError("ResourceInUse", _INSTANCES_LEFT)
    forget(box, group)
    return {}


def alive(group: Group) -> Group:
    """Return a group that is not being deleted.

    Raises:
        AwsError: it is.
    """
    if group.deleting:
        raise refuse(f"AutoScalingGroup '{group.name}' is pending delete")
    return group


def _empty(box: Box, group: Group) -> None:
    """Terminate everything that a group has, without its hooks; the group goes with its last instance."""
    state = state_of(box)
    decided = state.decided(group)
    group.deleting = True
    why = causes.deleted(decided.desired)
    config = dataclasses.replace(decided.config, min_size=0, max_size=0, desired=0)
    gone = dataclasses.replace(
        decided,
        config=config,
        desired=0,
        launches=(),
        instances=tuple(
            dataclasses.replace(one, lifecycle=Lifecycle.TERMINATING) for one in decided.instances
        ),
    )
    cloud = state.cloud(group.region)
    state.clouds[group.region] = dataclasses.replace(
        cloud, groups={**cloud.groups, group.name: gone}
    )
    held = decided.desired - decided.missing
    for member in list(group.members.values()):
        if member.stage:  # a hook holds it back
            member.waits.clear()
            member.stage = ""
            if member.is_leaving:
                leaving.end(box, group, member)
        if member.launch_id is not None:
            activities.cancel(box, member.activity)
        leaving.begin(box, group, member, causes.of_end(box, why, member.id, held, 0))
    if not group.members:
        forget(box, group)


def _merged(group: Group, params: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(group.settings)
    given = {key: value for key, value in params.items() if key not in _NOT_SETTINGS}
    policy = given.get("MixedInstancesPolicy")
    if policy:
        if given.get("LaunchTemplate"):
            raise refuse("LaunchTemplate and MixedInstancesPolicy cannot both be given.")
        old = settings.get("MixedInstancesPolicy") or {}
        distribution = {
            **old.get("InstancesDistribution", {}),
            **(policy.get("InstancesDistribution") or {}),
        }
        given["MixedInstancesPolicy"] = {**old, **policy, "InstancesDistribution": distribution}
    elif given.get("LaunchTemplate"):
        settings.pop("MixedInstancesPolicy", None)
    return {**settings, **given}


def _refuse_unknown(params: Mapping[str, Any]) -> None:
    for name in _NOT_SERVED:
        if params.get(name):
            raise refuse(
                f"The embedded AWS does not serve {name}; name a launch template and subnets instead."
            )
    for name in params.get("TerminationPolicies") or []:
        if name not in TERMINATION_POLICIES:
            raise refuse(f"Invalid termination policy: {name}")


def _refuse_in_cooldown(box: Box, group: Group) -> None:
    for one in group.activities:
        ended = one.get("EndTime")
        rest_s = int(group.settings["DefaultCooldown"]) / box.settings.speed
        if ended is None or (box.now() - ended).total_seconds() < rest_s:
            raise AwsError(
                "ScalingActivityInProgress",
                f"Scaling activity {one['ActivityId']} is in progress and blocks this action",
            )


def _role(box: Box, region: str) -> str:
    """Return the service-linked role, which the first group of an account makes."""
    with suppress(AwsError):  # it is there already, or the box has no IAM
        service = {"AWSServiceName": "autoscaling.amazonaws.com"}
        box.call("iam", "CreateServiceLinkedRole", service, region=region)
    return (
        f"arn:aws:iam::{box.settings.account}:role/aws-service-role/autoscaling.amazonaws.com/"
        "AWSServiceRoleForAutoScaling"
    )


def _arn(box: Box, region: str, name: str) -> str:
    return (
        f"arn:aws:autoscaling:{region}:{box.settings.account}:autoScalingGroup:{uuid.uuid4()}:"
        f"autoScalingGroupName/{name}"
    )
