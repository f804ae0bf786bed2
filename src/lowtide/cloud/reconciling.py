"""How a group is brought to its desired capacity: launches, failures, and who leaves first.

Why it exists: every event of ``cloud.autoscaling`` ends here; that module says what happens, this one what follows from it.
"""

from __future__ import annotations

import dataclasses

from lowtide.cloud import purchase
from lowtide.cloud.groups import (
    AutoScaling,
    Change,
    Effect,
    GroupState,
    InstanceGoneDue,
    InstanceStarted,
    Launch,
    LaunchCancelled,
    LaunchDue,
    LaunchFailed,
    NoCapacityWindow,
    RetryDue,
)
from lowtide.model.asg import Instance, Lifecycle, ScalingActivity

#: DescribeScalingActivities answers at most this many a page, newest first; older ones are never read here.
ACTIVITIES_KEPT = 100


def reconcile(state: AutoScaling, group: GroupState, now_ms: int) -> Change:
    """Begin a new attempt: pools that were shut in the last one are tried again."""
    if group.refused:
        group = dataclasses.replace(group, refused=())
    return settle(state, group, now_ms)


def settle(state: AutoScaling, group: GroupState, now_ms: int) -> Change:
    """Bring a group to its desired capacity within the attempt that goes on."""
    missing = group.missing
    if missing > 0:
        return _launch(state, group, missing, now_ms)
    group = dataclasses.replace(group, failing=None)
    effects: list[Effect] = []
    if missing < 0:
        state, shrunk = _shrink(state, group, -missing)
        group = state.groups[group.config.name]
        effects.extend(shrunk)
    if not group.launches:  # nobody waits for a replacement any more
        for one in group.leaving_at_risk:
            group, due = terminate(group, one)
            effects.append(due)
        group = dataclasses.replace(group, balancing="")
    return with_group(state, group), tuple(effects)


def _launch(state: AutoScaling, group: GroupState, missing: int, now_ms: int) -> Change:
    config = group.config
    if "Launch" in config.suspended_processes:
        return with_group(state, group), ()
    effects: list[Effect] = []
    next_launch = state.next_launch
    left = missing
    while left > 0:
        group, launch = begin(group, next_launch, now_ms)
        if launch is None:
            group, failed = _fail(group, left, now_ms)
            effects.extend(failed)
            break
        left -= config.units((launch,))
        next_launch += 1
        delay_ms = config.launch_ms(launch.capacity_type)
        effects.append(LaunchDue(group=config.name, launch_id=launch.id, after_ms=delay_ms))
    else:
        group = dataclasses.replace(group, failing=None)
    return with_group(dataclasses.replace(state, next_launch=next_launch), group), tuple(effects)


def begin(group: GroupState, launch_id: int, now_ms: int) -> tuple[GroupState, Launch | None]:
    """Start one launch in the next zone that has capacity, None when there is none at all."""
    config = group.config
    bought_as = purchase.capacity_type(group)
    types = purchase.instance_types(config, bought_as)
    shut = {one.zone for one in _open_windows(group, now_ms)}
    if not types or "" in shut:
        return group, None
    refused = {
        (one.zone, one.instance_type) for one in group.refused if one.capacity_type == bought_as
    }
    for index in _zone_order(group):
        zone = config.zones[index]
        open_types = [one for one in types if (zone, one) not in refused]
        type_name = purchase.spread(group, bought_as, zone, open_types)
        if zone in shut or type_name is None:
            continue
        launch = Launch(
            id=launch_id,
            zone=zone,
            instance_type=type_name,
            capacity_type=bought_as,
            started_ms=now_ms,
        )
        launches = (*group.launches, launch)
        return dataclasses.replace(group, launches=launches, next_zone=index + 1), launch
    return group, None


def _zone_order(group: GroupState) -> list[int]:
    """Return the zones' indexes in the order in which a launch tries them."""
    zones = group.config.zones
    turns = [(group.next_zone + step) % len(zones) for step in range(len(zones))]
    if not group.config.balances_zones:
        return turns
    held = [one.zone for one in group.launches]
    held += [one.zone for one in group.instances if one.lifecycle is not Lifecycle.TERMINATING]
    return sorted(turns, key=lambda index: held.count(zones[index]))


def _fail(group: GroupState, count: int, now_ms: int) -> tuple[GroupState, tuple[Effect, ...]]:
    config = group.config
    name = config.name
    windows = _open_windows(group, now_ms)
    code = windows[0].code if windows else "SpotMaxPriceTooLow"
    if group.refused:
        code = group.refused[-1].code
    silent = all(one.silent for one in windows) if windows else False
    failed = LaunchFailed(group=name, count=count, code=code, silent=silent)
    effects: list[Effect] = []
    if failed != group.failing or config.repeats_failures:
        effects.append(failed)
        if not silent:
            activity = ScalingActivity(start_ms=now_ms, failed=True, description=code)
            group = _log(group, activity)
    if not group.retry_due:
        effects.append(RetryDue(group=name, after_ms=config.retry_ms))
    return dataclasses.replace(group, retry_due=True, failing=failed), tuple(effects)


def _open_windows(group: GroupState, now_ms: int) -> list[NoCapacityWindow]:
    return [one for one in group.windows if one.from_ms <= now_ms < one.to_ms]


def appear(
    state: AutoScaling, group: GroupState, launch: Launch, now_ms: int, instance_id: str = ""
) -> tuple[AutoScaling, GroupState, InstanceStarted]:
    """Put a launched instance into its group."""
    instance = Instance(
        id=instance_id or f"i-{state.next_instance:08d}",
        zone=launch.zone,
        instance_type=launch.instance_type,
        capacity_type=launch.capacity_type,
        launched_ms=now_ms,
        protected=group.config.protects_new,
    )
    launches = tuple(one for one in group.launches if one.id != launch.id)
    done = ScalingActivity(start_ms=launch.started_ms, failed=False, description=instance.id)
    group = _log(group, done)
    group = dataclasses.replace(group, launches=launches, instances=(*group.instances, instance))
    state = dataclasses.replace(state, next_instance=state.next_instance + 1)
    return state, group, InstanceStarted(group=group.config.name, instance=instance)


def _shrink(state: AutoScaling, group: GroupState, surplus: int) -> Change:
    """Give up launches, then instances; with weights nothing whose loss would leave less than the desired capacity."""
    effects: list[Effect] = []
    kept = list(group.launches)
    while kept and group.config.units(kept[-1:]) <= surplus:
        surplus -= group.config.units((kept.pop(),))
    cancelled = len(group.launches) - len(kept)
    if cancelled:
        group = dataclasses.replace(group, launches=tuple(kept))
        effects.append(LaunchCancelled(group=group.config.name, count=cancelled))
    if "Terminate" not in group.config.suspended_processes:
        while surplus > 0:
            leaving = _next_to_leave(group, surplus)
            if leaving is None:
                break
            surplus -= group.config.units((leaving,))
            group, effect = terminate(group, leaving)
            effects.append(effect)
    return with_group(state, group), tuple(effects)


def _next_to_leave(group: GroupState, surplus: int) -> Instance | None:
    """Return the oldest unprotected instance, none whose units are more than the surplus.

    A group that balances zones chooses in the zone that has the most, and there what it has too much of, spot or on-demand
    (user guide, "Default termination policy").
    """
    live = [one for one in group.instances if one.lifecycle is not Lifecycle.TERMINATING]
    free = [one for one in live if not one.protected and group.config.units((one,)) <= surplus]
    if not group.config.balances_zones or not free:
        return free[0] if free else None
    held = [one.zone for one in live]
    fullest = max(free, key=lambda one: held.count(one.zone)).zone
    free = [one for one in free if one.zone == fullest]
    bought_as = purchase.surplus_type(group)
    return next((one for one in free if one.capacity_type == bought_as), free[0])


def terminate(group: GroupState, leaving: Instance) -> tuple[GroupState, InstanceGoneDue]:
    """Begin to end one instance."""
    instances = tuple(
        dataclasses.replace(one, lifecycle=Lifecycle.TERMINATING) if one is leaving else one
        for one in group.instances
    )
    due = InstanceGoneDue(
        group=group.config.name, instance_id=leaving.id, after_ms=group.config.terminate_ms
    )
    return dataclasses.replace(group, instances=instances), due


def _log(group: GroupState, activity: ScalingActivity) -> GroupState:
    kept = (activity, *group.activities)[:ACTIVITIES_KEPT]
    return dataclasses.replace(group, activities=kept)


def with_group(state: AutoScaling, group: GroupState) -> AutoScaling:
    """Return the state with a group changed."""
    return dataclasses.replace(state, groups={**state.groups, group.config.name: group})
