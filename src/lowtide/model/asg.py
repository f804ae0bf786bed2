"""Auto Scaling groups as AWS shows them, and as the autoscaler's AWS provider reads them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lowtide.model.catalog import (
    InstanceShape as InstanceShape,  # noqa: PLC0414 - whoever has groups finds it here, too
)


class Lifecycle(enum.StrEnum):
    """Lifecycle states of an instance in its group that matter here."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    TERMINATING = "Terminating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance of a group; ``capacity_type`` is ``spot`` or ``on-demand``.

    A ``protected`` one is not chosen when the group shrinks.
    """

    id: str
    zone: str
    instance_type: str
    capacity_type: str
    launched_ms: int
    lifecycle: Lifecycle = Lifecycle.IN_SERVICE
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingActivity:
    """One scaling activity; the autoscaler only asks whether a recent one Failed."""

    start_ms: int
    failed: bool
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoScalingGroup:
    """A group at one moment.

    ``shapes`` are the types it may launch, the first one is the autoscaler's template; an empty tuple
    means the type is not in the autoscaler's list. ``activities`` are newest first.
    """

    name: str
    min_size: int
    max_size: int
    desired: int
    zones: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    shapes: tuple[InstanceShape, ...] = ()
    instances: tuple[Instance, ...] = ()
    activities: tuple[ScalingActivity, ...] = ()


def missing_tags(tags: Mapping[str, str], wanted: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the keys of the wanted tags that a group does not have; an empty wanted value matches any.

    This is auto-discovery (cloudprovider/aws/auto_scaling_groups.go, buildAsgTags): the autoscaler sees a group when no
    tag that it asks for is missing.
    """
    return tuple(key for key, value in wanted if key not in tags or (value and tags[key] != value))
