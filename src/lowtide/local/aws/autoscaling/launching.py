"""From a decided launch to an instance in service, or to EC2's refusal.

Why it exists: EC2 alone knows whether an instance can be had; what it says goes back into the decision.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lowtide.cloud import autoscaling
from lowtide.cloud.groups import Change, Launch, RefusedPool
from lowtide.local.aws.autoscaling import activities, bus
from lowtide.local.aws.autoscaling.requests import override_of, specification
from lowtide.local.aws.autoscaling.state import (
    IN_SERVICE,
    NAME,
    Group,
    Member,
    Refusal,
    now_ms,
    state_of,
)
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.templates import launch_version
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.events import InstanceInService
from lowtide.model.names import SPOT

NO_CAPACITY = "InsufficientInstanceCapacity"
_QUOTAS = ("MaxSpotInstanceCountExceeded", "VcpuLimitExceeded")
UNFULFILLABLE = "UnfulfillableCapacity"
#: As quoted in mludvig/aws-ethereum-miner#23 and buildkite/elastic-ci-stack-for-aws#851.
_UNFULFILLABLE = "Unable to fulfill capacity due to your request configuration. Please adjust your request and try again."


def launch(box: Box, group: Group, ids: Sequence[int], cause: str) -> Iterator[Change]:
    """Start the instances of launches that go to one pool; each refusal gives the group's next decision.

    EC2 starts all of them or none; where its quota has room for some, they are asked for in smaller parts.
    """
    yield from _launch(box, group, _under_way(box, group, ids), cause)


def pools(box: Box, group: Group) -> dict[int, tuple[str, str, str]]:
    """Return zone, type and purchase of the launches under way, by their ids."""
    return {one.id: _pool(one) for one in state_of(box).decided(group).launches}


def fail(box: Box, group: Group, code: str, cause: str) -> None:
    """Tell that an attempt to launch has failed."""
    activity = activities.failed(box, group, code, _last_refusal(box, group), cause)
    bus.tell_outcome(box, group, "EC2 Instance Launch Unsuccessful", activity, instance_id="")


def _last_refusal(box: Box, group: Group) -> Refusal | None:
    """Return why the attempt failed. A policy that found several pools without capacity is told of none of them."""
    refused = state_of(box).decided(group).refused
    if not refused or group.refusal is None:
        return None
    short = [one for one in refused if one.code == NO_CAPACITY]
    if group.is_mixed and group.refusal.code == NO_CAPACITY and len(short) > 1:
        return dataclasses.replace(group.refusal, code=UNFULFILLABLE, message=_UNFULFILLABLE)
    return group.refusal


def show_in_service(box: Box, group: Group, instance_id: str) -> None:
    """Tell everybody that an instance is in service."""
    member = group.members[instance_id]
    member.launch_id = None
    member.phase, member.stage = IN_SERVICE, ""
    activities.succeed(box, member.activity)
    box.publish(
        InstanceInService(
            region=group.region,
            group=group.name,
            instance_id=member.id,
            instance_type=member.instance_type,
            zone=member.zone,
            capacity_type=member.capacity_type,
            image_id=member.image_id,
            private_ip=member.private_ip,
            user_data=member.user_data,
            tags=member.tags,
        )
    )
    member.user_data, member.tags = "", {}
    bus.tell_outcome(
        box, group, "EC2 Instance Launch Successful", member.activity, instance_id=member.id
    )


def _launch(box: Box, group: Group, wanted: Sequence[Launch], cause: str) -> Iterator[Change]:
    if not wanted:
        return
    known = _shut(box, group, wanted[0])
    refusal = known or _start(box, group, wanted, cause)
    if refusal is None:
        return
    if known is None and refusal.code in _QUOTAS and len(wanted) > 1:
        middle = len(wanted) // 2
        yield from _launch(box, group, wanted[:middle], cause)
        yield from _launch(box, group, wanted[middle:], cause)
        return
    ids = {one.id for one in wanted}
    cloud = state_of(box).cloud(group.region)
    yield autoscaling.refuse_launches(cloud, group.name, ids, refusal.code, now_ms(box))


def _under_way(box: Box, group: Group, ids: Sequence[int]) -> list[Launch]:
    wanted = set(ids)
    return [one for one in state_of(box).decided(group).launches if one.id in wanted]


def _shut(box: Box, group: Group, wanted: Launch) -> RefusedPool | None:
    """Return the refusal that the attempt has already met in the launch's pool."""
    refused = state_of(box).decided(group).refused
    return next((one for one in refused if _pool(one) == _pool(wanted)), None)


def _start(box: Box, group: Group, wanted: Sequence[Launch], cause: str) -> Refusal | None:
    """Ask EC2 for instances of one pool; return its refusal."""
    first = wanted[0]
    try:
        template = specification(group, first.instance_type)
        version = launch_version(box, group.region, template)
        params = {**_params(box, group, first, version), "MaxCount": len(wanted)}
        answer = box.call("ec2", "RunInstances", params, region=group.region)
    except AwsError as error:
        group.refusal = Refusal(
            code=error.code, message=error.message, capacity_type=first.capacity_type
        )
        return group.refusal
    for launched, one in zip(wanted, answer["Instances"], strict=True):
        member = _member(box, launched, version, one)
        member.template = {**template, "Version": str(version["VersionNumber"])}
        member.activity = activities.launching(
            box, group, member.id, cause, zone=member.zone, subnet=member.subnet
        )
        group.members[member.id] = member
        box.after(
            state_of(box).decided(group).config.launch_ms(launched.capacity_type) / 1000,
            NAME,
            "launched",
            region=group.region,
            group=group.name,
            instance_id=member.id,
        )
    return None


def _member(box: Box, wanted: Launch, version: Mapping[str, Any], one: Mapping[str, Any]) -> Member:
    return Member(
        id=one["InstanceId"],
        zone=wanted.zone,
        subnet=str(one.get("SubnetId", "")),
        instance_type=wanted.instance_type,
        capacity_type=wanted.capacity_type,
        image_id=str(one.get("ImageId", "")),
        private_ip=str(one.get("PrivateIpAddress", "")),
        launched=box.now(),
        launch_id=wanted.id,
        tags={tag["Key"]: tag.get("Value", "") for tag in one.get("Tags", [])},
        user_data=_text(version["LaunchTemplateData"].get("UserData", "")),
    )


def _params(box: Box, group: Group, wanted: Launch, version: Mapping[str, Any]) -> dict[str, Any]:
    number = str(version["VersionNumber"])
    params: dict[str, Any] = {
        "LaunchTemplate": {"LaunchTemplateId": version["LaunchTemplateId"], "Version": number},
        "InstanceType": wanted.instance_type,
        "MinCount": 1,
        "TagSpecifications": [
            {
                "ResourceType": "instance",
                "Tags": [
                    *(
                        {"Key": key, "Value": tag.value}
                        for key, tag in group.tags.items()
                        if tag.propagates
                    ),
                    {"Key": "aws:autoscaling:groupName", "Value": group.name},
                    {"Key": "aws:ec2launchtemplate:id", "Value": version["LaunchTemplateId"]},
                    {"Key": "aws:ec2launchtemplate:version", "Value": number},
                ],
            }
        ],
    }
    subnets = group.subnets[wanted.zone]
    if subnets:
        held = [one.subnet for one in group.members.values()]
        params["SubnetId"] = min(subnets, key=held.count)
    else:
        params["Placement"] = {"AvailabilityZone": wanted.zone}
    image = override_of(group, wanted.instance_type).get("ImageId")
    if image:
        params["ImageId"] = image
    if group.is_mixed and wanted.capacity_type == SPOT:
        params["InstanceMarketOptions"] = {"MarketType": "spot"}
        price = state_of(box).decided(group).config.max_spot_usd_per_hour
        if price is not None:
            params["InstanceMarketOptions"]["SpotOptions"] = {"MaxPrice": f"{price:g}"}
    return params


def _pool(one: Any) -> tuple[str, str, str]:
    return one.zone, one.instance_type, one.capacity_type


def _text(user_data: str) -> str:
    """Return user data as text; what is no text becomes replacement characters, as a node's log would show it."""
    try:
        return base64.b64decode(user_data, validate=False).decode("utf-8", "replace")
    except ValueError:
        return user_data
