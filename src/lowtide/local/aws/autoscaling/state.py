"""What Auto Scaling remembers beyond the decisions of ``cloud``: names, templates, tags, hooks, and its history.

Why it exists: ``cloud`` decides how many instances a group has and of which type and zone; this is everything that is only
told and shown again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lowtide.cloud.autoscaling import remove_group
from lowtide.cloud.groups import AutoScaling, GroupState
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError

NAME = "autoscaling"
#: How many activities of deleted groups are kept in a region.
PAST_KEPT = 200


PENDING = "Pending"
IN_SERVICE = "InService"
TERMINATING = "Terminating"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
ENDING = "autoscaling:EC2_INSTANCE_TERMINATING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """EC2's last refusal of a launch, and what was to be bought."""

    code: str
    message: str
    capacity_type: str


@dataclass(slots=True, kw_only=True)
class Wait:
    """A lifecycle action that waits for its end, at ``ends`` at the latest; ``beats`` counts its heartbeats."""

    hook: str
    token: str
    ends: dt.datetime
    beats: int = 0


@dataclass(slots=True, kw_only=True)
class Member:
    """An instance of a group, from its launch to its end. ``launch_id`` is None once it was in service or given up.

    ``stage`` is ``Wait`` or ``Proceed`` around lifecycle hooks; ``user_data`` is kept until the instance is in service.
    """

    id: str
    zone: str
    subnet: str
    instance_type: str
    capacity_type: str
    image_id: str
    private_ip: str
    launched: dt.datetime
    launch_id: int | None
    template: dict[str, str] = field(default_factory=dict)
    activity: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    user_data: str = ""
    phase: str = PENDING
    stage: str = ""
    waits: dict[str, Wait] = field(default_factory=dict)
    healthy: bool = True
    warned: bool = False

    @property
    def lifecycle_state(self) -> str:
        """The state as AWS shows it."""
        return f"{self.phase}:{self.stage}" if self.stage else self.phase

    @property
    def is_leaving(self) -> bool:
        """Whether it is on its way out."""
        return self.phase == TERMINATING


@dataclass(slots=True, kw_only=True)
class Tag:
    """A tag of a group."""

    value: str
    propagates: bool


@dataclass(slots=True, kw_only=True)
class Group:
    """A group. ``settings`` are the parameters of its requests as they hold now; ``activities`` are newest first.

    ``balance_due`` says that a look at the zones is scheduled.
    """

    region: str
    name: str
    arn: str
    created: dt.datetime
    settings: dict[str, Any]
    subnets: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    suspended: dict[str, str] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, str] = field(default_factory=dict)
    refusal: Refusal | None = None
    deleting: bool = False
    balance_due: bool = False

    @property
    def is_mixed(self) -> bool:
        """Whether it has a mixed instances policy."""
        return bool(self.settings.get("MixedInstancesPolicy"))


@dataclass(slots=True)
class AutoScalingState:
    """All groups by region and name, what ``cloud`` holds of each region, and the activities of groups that are gone."""

    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    clouds: dict[str, AutoScaling] = field(default_factory=dict)
    past: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def cloud(self, region: str) -> AutoScaling:
        """Return the decisions' state of a region."""
        return self.clouds.get(region, AutoScaling())

    def decided(self, group: Group) -> GroupState:
        """Return what ``cloud`` holds of a group."""
        return self.cloud(group.region).groups[group.name]

    def of_region(self, region: str) -> Iterator[Group]:
        """Yield the groups of a region by name, as AWS lists them."""
        for key in sorted(self.groups):
            if key[0] == region:
                yield self.groups[key]

    def owner(self, region: str, instance_id: str) -> tuple[Group, Member] | None:
        """Return the group that has an instance, None where none has."""
        for group in self.of_region(region):
            if instance_id in group.members:
                return group, group.members[instance_id]
        return None


def state_of(box: Box) -> AutoScalingState:
    """Return the service's state."""
    state: AutoScalingState = box.state(NAME)
    return state


def now_ms(box: Box) -> int:
    """Return the box's time as ``cloud`` counts it."""
    return int(box.now().timestamp() * 1000)


def group_of(box: Box, region: str, name: str) -> Group:
    """Return a group.

    Raises:
        AwsError: there is none of that name.
    """
    found = state_of(box).groups.get((region, name))
    if found is None:
        raise AwsError(
            "ValidationError",
            f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found",
        )
    return found


def member_of(box: Box, region: str, instance_id: str) -> tuple[Group, Member]:
    """Return an instance with its group.

    Raises:
        AwsError: no group has it.
    """
    found = state_of(box).owner(region, instance_id)
    if found is None:
        raise AwsError(
            "ValidationError",
            f"Instance Id not found - No managed instance found for instance ID: {instance_id}",
        )
    return found


def forget(box: Box, group: Group) -> None:
    """Let go of a group that is gone; its activities stay."""
    state = state_of(box)
    del state.groups[group.region, group.name]
    state.clouds[group.region] = remove_group(state.cloud(group.region), group.name)
    kept = state.past.setdefault(group.region, [])
    kept[:0] = [{**one, "AutoScalingGroupState": "Deleted"} for one in group.activities]
    del kept[PAST_KEPT:]
