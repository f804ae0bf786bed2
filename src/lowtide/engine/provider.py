"""The autoscaler's AWS provider: what it believes of the Auto Scaling groups.

It asks AWS once a minute and works on that copy in between, adjusting it for what it did itself
(cloudprovider/aws/auto_scaling_groups.go at 1.36.1). Capacity that was asked for and has not come is
filled with placeholders, which are failed as soon as a scaling activity since the last resize has failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lowtide.engine.options import MINUTE, AutoscalerOptions
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup, InstanceShape, Lifecycle, missing_tags

REFRESH_INTERVAL_MS = MINUTE


@dataclass(frozen=True, slots=True)
class KnownInstance:
    """An instance as last seen, or a placeholder for one that was asked for."""

    id: str
    terminating: bool = False
    placeholder: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGroup:
    """A group as the autoscaler believes it.

    ``options`` are the autoscaling options among its tags, by lower-case name; ``resized_ms`` is the autoscaler's own last
    SetDesiredCapacity.
    """

    name: str
    min_size: int
    max_size: int
    target: int
    zones: tuple[str, ...]
    tags: Mapping[str, str]
    shape: InstanceShape | None
    options: Mapping[str, str]
    instances: tuple[KnownInstance, ...]
    resized_ms: int | None = None


def discovered(group: AutoScalingGroup, options: AutoscalerOptions) -> bool:
    """Return whether --node-group-auto-discovery finds the group: every tag must be there."""
    wanted = options.discovery_tags
    return bool(wanted) and not missing_tags(group.tags, wanted)


def ask(
    groups: Iterable[AutoScalingGroup],
    known: Mapping[str, KnownGroup],
    options: AutoscalerOptions,
) -> dict[str, KnownGroup]:
    """Return the groups as a fresh DescribeAutoScalingGroups shows them."""
    result = {}
    for group in groups:
        if discovered(group, options):
            before = known.get(group.name)
            result[group.name] = _seen(group, before.resized_ms if before else None)
    return result


def _seen(group: AutoScalingGroup, resized_ms: int | None) -> KnownGroup:
    instances = [
        KnownInstance(one.id, terminating=one.lifecycle is Lifecycle.TERMINATING)
        for one in group.instances
    ]
    missing = group.desired - len(instances)
    if missing > 0:
        failed = _has_failed(group, resized_ms)
        instances.extend(
            KnownInstance(f"i-placeholder-{group.name}-{index}", placeholder=True, failed=failed)
            for index in range(len(instances), group.desired)
        )
    return KnownGroup(
        name=group.name,
        min_size=group.min_size,
        max_size=group.max_size,
        target=group.desired,
        zones=group.zones,
        tags=group.tags,
        shape=group.shapes[0] if group.shapes else None,
        options=_options(group.tags),
        instances=tuple(instances),
        resized_ms=resized_ms,
    )


def _options(tags: Mapping[str, str]) -> dict[str, str]:
    prefix = names.TAG_OPTION_PREFIX
    return {
        key[len(prefix) :].lower(): value for key, value in tags.items() if key.startswith(prefix)
    }


def _has_failed(group: AutoScalingGroup, resized_ms: int | None) -> bool:
    """Any failed activity since the last resize by this process counts, whatever its reason."""
    for activity in group.activities:
        if resized_ms is not None and activity.start_ms < resized_ms:
            return False
        if activity.failed:
            return True
    return False


def resized(group: KnownGroup, target: int, now_ms: int) -> KnownGroup:
    """Return the group after a SetDesiredCapacity of the autoscaler's own."""
    return replace(group, target=target, resized_ms=now_ms)
