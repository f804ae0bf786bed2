"""Operations on single instances of groups: terminate, protect, set health, attach and detach.

Why it exists: the autoscaler shrinks a group by naming the instance that goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.cloud import autoscaling
from lowtide.cloud.groups import Rejected
from lowtide.local.aws.autoscaling import activities, causes, leaving
from lowtide.local.aws.autoscaling.effects import carry_out, look_at_zones
from lowtide.local.aws.autoscaling.groups import alive
from lowtide.local.aws.autoscaling.requests import refuse, specification
from lowtide.local.aws.autoscaling.state import (
    IN_SERVICE,
    NAME,
    Group,
    Member,
    group_of,
    member_of,
    now_ms,
    state_of,
)
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.model.asg import Instance
from lowtide.model.names import ON_DEMAND, SPOT

_HEALTH = {"Healthy": True, "Unhealthy": False}


def terminate(box: Box, call: Call) -> Mapping[str, Any]:
    """TerminateInstanceInAutoScalingGroup. The desired capacity falls at once; the instance takes its time."""
    group, member = member_of(box, call.region, call.params.get("InstanceId", ""))
    alive(group)
    decrement = bool(call.params["ShouldDecrementDesiredCapacity"])
    if member.is_leaving:
        return {"Activity": member.activity}
    cloud, now = state_of(box).cloud(group.region), now_ms(box)
    old = state_of(box).decided(group)
    new = old.desired - (old.config.units((_as_instance(box, member),)) if decrement else 0)
    why = causes.asked_out(member.id, old.desired, new)
    if member.launch_id is None:
        outcome = autoscaling.terminate_instance(
            cloud, group.name, member.id, now, decrement=decrement
        )
        carry_out(box, group, outcome, why)
        return {"Activity": member.activity}
    outcome = autoscaling.cancel_launch(
        cloud, group.name, member.launch_id, now, decrement=decrement
    )
    if isinstance(outcome, Rejected):
        raise refuse(outcome.message)
    activities.cancel(box, member.activity)
    leaving.begin(box, group, member, causes.of_end(box, why, member.id, old.desired, new))
    carry_out(box, group, outcome, why)
    return {"Activity": member.activity}


def protect(box: Box, call: Call) -> Mapping[str, Any]:
    """SetInstanceProtection."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    ids = call.params["InstanceIds"]
    for instance_id in ids:
        member = _in_group(group, instance_id)
        if member.phase != IN_SERVICE:
            raise refuse(
                f"The instance {instance_id} is not in InService, EnteringStandby or Standby."
            )
    state = state_of(box)
    for instance_id in ids:
        state.clouds[group.region] = autoscaling.protect(
            state.cloud(group.region),
            group.name,
            instance_id,
            protected=bool(call.params["ProtectedFromScaleIn"]),
        )
    return {}


def set_health(box: Box, call: Call) -> Mapping[str, Any]:
    """SetInstanceHealth; an unhealthy instance is replaced. Within the grace period nothing happens, unless asked."""
    group, member = member_of(box, call.region, call.params.get("InstanceId", ""))
    status = call.params["HealthStatus"]
    if status not in _HEALTH:
        raise refuse(f"Valid values for HealthStatus are [{', '.join(_HEALTH)}]")
    if call.params.get("ShouldRespectGracePeriod", True):
        age_s = (box.now() - member.launched).total_seconds() * box.settings.speed
        if age_s < int(group.settings["HealthCheckGracePeriod"]):
            return {}
    member.healthy = _HEALTH[status]
    if not member.healthy:
        box.after(
            0, NAME, "unhealthy", region=group.region, group=group.name, instance_id=member.id
        )
    return {}


def attach(box: Box, call: Call) -> Mapping[str, Any]:
    """AttachInstances: running instances join, and the desired capacity grows by them."""
    group = alive(group_of(box, call.region, call.params["AutoScalingGroupName"]))
    ids = list(call.params.get("InstanceIds") or [])
    decided = state_of(box).decided(group)
    if decided.desired + len(ids) > decided.config.max_size:
        raise refuse(
            f"AutoScalingGroup {group.name} has min-size={decided.config.min_size},"
            f" max-size={decided.config.max_size}, and desired-size={decided.desired}. To attach {len(ids)} more"
            " instance, please update the AutoScalingGroup sizes appropriately."
        )
    joining = [_joining(box, group, instance_id) for instance_id in ids]
    state = state_of(box)
    for member in joining:
        group.members[member.id] = member
        cloud = state.cloud(group.region)
        state.clouds[group.region] = autoscaling.attach(
            cloud, group.name, _as_instance(box, member)
        )
    return {}


def detach(box: Box, call: Call) -> Mapping[str, Any]:
    """DetachInstances: instances leave and run on."""
    group = alive(group_of(box, call.region, call.params["AutoScalingGroupName"]))
    decrement = bool(call.params["ShouldDecrementDesiredCapacity"])
    noted = []
    for instance_id in call.params.get("InstanceIds") or []:
        member = _in_group(group, instance_id)
        if member.phase != IN_SERVICE:
            raise refuse(f"The instance {instance_id} is not in InService or Standby.")
        cloud = state_of(box).cloud(group.region)
        outcome = autoscaling.detach(
            cloud, group.name, instance_id, now_ms(box), decrement=decrement
        )
        if isinstance(outcome, Rejected):
            raise refuse(outcome.message)
        cause = causes.sentences(box, causes.detached(instance_id))
        noted.append(activities.detaching(box, group, member, cause))
        del group.members[instance_id]
        carry_out(box, group, outcome, causes.BY_ITSELF)
        look_at_zones(box, group, box.settings.delays.launch_retry_s)
    return {"Activities": noted}


def _in_group(group: Group, instance_id: str) -> Member:
    if instance_id not in group.members:
        raise refuse(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
    return group.members[instance_id]


def _joining(box: Box, group: Group, instance_id: str) -> Member:
    if state_of(box).owner(group.region, instance_id):
        raise refuse(f"Instance {instance_id} is already part of an AutoScalingGroup")
    try:
        params = {"InstanceIds": [instance_id]}
        found = box.call("ec2", "DescribeInstances", params, region=group.region)
    except AwsError as error:
        raise refuse(f"Invalid Instance ID(s): [{instance_id}]") from error
    one = found["Reservations"][0]["Instances"][0]
    zone = str(one["Placement"]["AvailabilityZone"])
    if one["State"]["Name"] != "running":
        raise refuse(f"Instance {instance_id} is not in correct state. Instance must be running.")
    if zone not in group.subnets:
        raise refuse(
            f"The availability zone {zone} is not part of Auto Scaling group {group.name}."
        )
    spot = one.get("InstanceLifecycle") == "spot"
    activity = activities.attaching(box, group, instance_id)
    return Member(
        id=instance_id,
        zone=zone,
        subnet=str(one.get("SubnetId", "")),
        instance_type=one["InstanceType"],
        capacity_type=SPOT if spot else ON_DEMAND,
        template=specification(group, one["InstanceType"]),
        image_id=str(one.get("ImageId", "")),
        private_ip=str(one.get("PrivateIpAddress", "")),
        launched=box.now(),
        launch_id=None,
        activity=activity,
        phase=IN_SERVICE,
    )


def _as_instance(box: Box, member: Member) -> Instance:
    return Instance(
        id=member.id,
        zone=member.zone,
        instance_type=member.instance_type,
        capacity_type=member.capacity_type,
        launched_ms=now_ms(box),
    )
