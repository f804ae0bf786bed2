"""Auto Scaling as pure functions: ``(state, event, now) -> (state, effects)``.

Why it exists: one implementation of desired capacity, launches, failures, termination and spot
interruption serves the twin in virtual time and the embedded AWS in real time.

After every event the group is brought to its desired capacity: what is missing is launched, launches that are too
many are given up newest first, then the oldest live instances are terminated. Where EC2 has no capacity nothing
is launched, one Failed activity stands for the whole missing number, and the group tries again after its retry
delay for as long as anything is missing. A retry that fails as the attempt before it did leaves no further activity:
a group that can never launch would otherwise fill the history with one line a minute.

Whoever carries launches out may hear a refusal of EC2 (capacity of a type in a zone, quota) and hands it back with
``refuse_launch``: the group then tries its other types and zones before it fails.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

from lowtide.cloud import purchase
from lowtide.cloud.groups import (
    AutoScaling,
    Change,
    Effect,
    GroupConfig,
    GroupState,
    InstanceGone,
    InstanceGoneDue,
    InstanceStarted,
    InterruptionDue,
    Launch,
    LaunchCancelled,
    LaunchDue,
    LaunchFailed,
    NoCapacityWindow,
    RefusedPool,
    Rejected,
    RetryDue,
)
from lowtide.model.asg import AutoScalingGroup, Instance, Lifecycle, ScalingActivity

#: DescribeScalingActivities answers at most this many a page, newest first; older ones are never read here.
ACTIVITIES_KEPT = 100


def create(configs: Iterable[GroupConfig], *, launched_ms: int) -> AutoScaling:
    """Return groups whose desired instances have been InService since ``launched_ms``."""
    state = AutoScaling()
    for config in configs:
        group = GroupState(config=config, desired=config.desired)
        left = config.desired
        while left > 0:
            group, launch = _begin(group, state.next_launch, launched_ms)
            state = dataclasses.replace(state, next_launch=state.next_launch + 1)
            if launch is None:
                break
            left -= config.units((launch,))
            state, group, _started = _appear(state, group, launch, launched_ms)
        state = _with(state, dataclasses.replace(group, activities=()))
    return state


def add_group(state: AutoScaling, config: GroupConfig, now_ms: int) -> Change:
    """Create a group (CreateAutoScalingGroup), which launches its desired capacity."""
    return _reconcile(state, GroupState(config=config, desired=config.desired), now_ms)


def update_group(state: AutoScaling, config: GroupConfig, now_ms: int) -> Change:
    """Give a group another configuration (UpdateAutoScalingGroup); ``config.desired`` is its desired capacity from now on."""
    old = state.groups[config.name]
    changed = dataclasses.replace(old, config=config, desired=config.desired, failing=None)
    return _reconcile(state, changed, now_ms)


def configure(state: AutoScaling, config: GroupConfig) -> AutoScaling:
    """Return the state with another configuration of a group, whose desired capacity stays; nothing happens yet."""
    return _with(state, dataclasses.replace(state.groups[config.name], config=config))


def remove_group(state: AutoScaling, group: str) -> AutoScaling:
    """Return the state without a group."""
    rest = {name: one for name, one in state.groups.items() if name != group}
    return dataclasses.replace(state, groups=rest)


def set_desired(state: AutoScaling, group: str, desired: int, now_ms: int) -> Change | Rejected:
    """Set a group's desired capacity (SetDesiredCapacity); outside min and max it is rejected."""
    old = state.groups[group]
    config = old.config
    if desired > config.max_size:
        return Rejected(
            code="ValidationError",
            message=f"New SetDesiredCapacity value {desired} is above max value {config.max_size}"
            f" for the AutoScalingGroup.",
        )
    if desired < config.min_size:
        return Rejected(
            code="ValidationError",
            message=f"New SetDesiredCapacity value {desired} is below min value {config.min_size}"
            f" for the AutoScalingGroup.",
        )
    return _reconcile(state, dataclasses.replace(old, desired=desired, failing=None), now_ms)


def terminate_instance(
    state: AutoScaling, group: str, instance_id: str, now_ms: int, *, decrement: bool = True
) -> Change | Rejected:
    """Terminate an instance (TerminateInstanceInAutoScalingGroup), by default lowering desired.

    An instance that is terminating already changes nothing.
    """
    old = state.groups[group]
    found = old.instance(instance_id)
    if found is None:
        return Rejected(
            code="ValidationError",
            message=f"Instance Id not found - No managed instance found for instance ID {instance_id}",
        )
    if found.lifecycle is Lifecycle.TERMINATING:
        return state, ()
    units = old.config.units((found,)) if decrement else 0
    if decrement and old.desired - units < old.config.min_size:
        return _below_minimum(old.config)
    lowered = dataclasses.replace(old, desired=old.desired - units, failing=None)
    leaving, effect = _terminate(lowered, found)
    state, more = _reconcile(state, leaving, now_ms)
    return state, (effect, *more)


def refuse_launch(state: AutoScaling, group: str, launch_id: int, code: str, now_ms: int) -> Change:
    """Take back a launch that EC2 refused, and try the group's next type or zone; without one the attempt has failed."""
    return refuse_launches(state, group, (launch_id,), code, now_ms)


def refuse_launches(
    state: AutoScaling, group: str, launch_ids: Collection[int], code: str, now_ms: int
) -> Change:
    """Take back launches that EC2 refused together."""
    old = state.groups[group]
    taken = [one for one in old.launches if one.id in launch_ids]
    if not taken:
        return state, ()
    pools = {
        RefusedPool(
            zone=one.zone,
            instance_type=one.instance_type,
            capacity_type=one.capacity_type,
            code=code,
        ): None
        for one in taken
    }
    rest = tuple(one for one in old.launches if one.id not in launch_ids)
    left = dataclasses.replace(old, launches=rest, refused=(*old.refused, *pools))
    if old.balancing:  # only this zone would have helped: everything stays where it is
        left = dataclasses.replace(left, at_risk=left.at_risk - {old.balancing}, balancing="")
    return _settle(state, left, now_ms)


def cancel_launch(
    state: AutoScaling, group: str, launch_id: int, now_ms: int, *, decrement: bool
) -> Change | Rejected:
    """Give up a launch under way, as terminating a Pending instance does."""
    old = state.groups[group]
    given_up = [one for one in old.launches if one.id == launch_id]
    desired = old.desired - old.config.units(given_up) if decrement else old.desired
    if decrement and desired < old.config.min_size:
        return _below_minimum(old.config)
    rest = tuple(one for one in old.launches if one.id != launch_id)
    return _reconcile(state, dataclasses.replace(old, launches=rest, desired=desired), now_ms)


def detach(
    state: AutoScaling, group: str, instance_id: str, now_ms: int, *, decrement: bool
) -> Change | Rejected:
    """Let an instance leave its group and run on (DetachInstances)."""
    old = state.groups[group]
    leaving = [one for one in old.instances if one.id == instance_id]
    desired = old.desired - old.config.units(leaving) if decrement else old.desired
    if decrement and desired < old.config.min_size:
        return _below_minimum(old.config)
    rest = tuple(one for one in old.instances if one.id != instance_id)
    return _reconcile(state, dataclasses.replace(old, instances=rest, desired=desired), now_ms)


def attach(state: AutoScaling, group: str, instance: Instance) -> AutoScaling:
    """Let a running instance join a group, whose desired capacity grows by it (AttachInstances)."""
    old = state.groups[group]
    desired = old.desired + old.config.units((instance,))
    instances = (*old.instances, instance)
    return _with(state, dataclasses.replace(old, desired=desired, instances=instances))


def protect(state: AutoScaling, group: str, instance_id: str, *, protected: bool) -> AutoScaling:
    """Protect an instance from being chosen when the group shrinks, or end that (SetInstanceProtection)."""
    old = state.groups[group]
    instances = tuple(
        dataclasses.replace(one, protected=protected) if one.id == instance_id else one
        for one in old.instances
    )
    return _with(state, dataclasses.replace(old, instances=instances))


def complete_launch(
    state: AutoScaling, group: str, launch_id: int, now_ms: int, *, instance_id: str = ""
) -> Change:
    """Bring a launched instance into service; a launch that was given up changes nothing.

    ``instance_id`` is EC2's, where EC2 named it at the launch.
    """
    old = state.groups[group]
    launch = next((one for one in old.launches if one.id == launch_id), None)
    if launch is None:
        return state, ()
    rest = tuple(one for one in old.launches if one.id != launch_id)
    without = dataclasses.replace(old, launches=rest)
    state, new, started = _appear(state, without, launch, now_ms, instance_id)
    effects: list[Effect] = [started]
    while new.missing <= 0 and len(new.leaving_at_risk) > len(new.launches):
        new, due = _terminate(new, new.leaving_at_risk[0])
        effects.append(due)
    if not new.leaving_at_risk:
        new = dataclasses.replace(new, balancing="")
    return _with(state, new), tuple(effects)


def rebalance(state: AutoScaling, group: str, now_ms: int) -> Change:
    """Replace one instance of the fullest zone by one in the emptiest, where they differ by two or more.

    The new one is in service before the old one ends (user guide, "Auto Scaling benefits for application architecture",
    rebalancing activities). Nothing happens while the group does something else, or where AZRebalance is suspended.
    """
    old = state.groups[group]
    config = old.config
    busy = old.missing or old.launches or old.leaving_at_risk
    if busy or {"AZRebalance", "Launch", "Terminate"} & config.suspended_processes:
        return state, ()
    live = [one for one in old.instances if one.lifecycle is not Lifecycle.TERMINATING]
    held = [one.zone for one in live]
    fullest = max(config.zones, key=held.count)
    emptiest = min(config.zones, key=held.count)
    leaving = next((one for one in live if one.zone == fullest and not one.protected), None)
    if leaving is None or held.count(fullest) - held.count(emptiest) < 2:
        return state, ()
    only = dataclasses.replace(config, zones=(emptiest,))
    there = dataclasses.replace(old, config=only, refused=())
    begun, launch = _begin(there, state.next_launch, now_ms)
    if launch is None:
        return state, ()
    changed = dataclasses.replace(
        begun,
        config=config,
        next_zone=old.next_zone,
        at_risk=old.at_risk | {leaving.id},
        balancing=leaving.id,
    )
    state = dataclasses.replace(state, next_launch=state.next_launch + 1)
    delay_ms = config.launch_ms(launch.capacity_type)
    due = LaunchDue(group=group, launch_id=launch.id, after_ms=delay_ms)
    return _with(state, changed), (due,)


def retry(state: AutoScaling, group: str, now_ms: int) -> Change:
    """Try again what could not be launched; a failure that is known already changes nothing."""
    old = state.groups[group]
    tried, effects = _reconcile(state, dataclasses.replace(old, retry_due=False), now_ms)
    return (state if tried.groups[group] == old else tried), effects


def finish_termination(state: AutoScaling, group: str, instance_id: str) -> Change:
    """Let a terminating instance leave its group; one that left already changes nothing."""
    old = state.groups[group]
    found = old.instance(instance_id)
    if found is None:
        return state, ()
    rest = tuple(one for one in old.instances if one.id != instance_id)
    gone = InstanceGone(group=group, instance=found)
    return _with(state, dataclasses.replace(old, instances=rest)), (gone,)


def give_notice(state: AutoScaling, group: str, instance_id: str, now_ms: int = 0) -> Change:
    """Announce a spot interruption; nothing visible happens until the notice has passed.

    A group with capacity rebalance launches the replacement now (user guide, "Capacity Rebalancing").
    """
    old = state.groups[group]
    if old.instance(instance_id) is None:
        return state, ()
    due = InterruptionDue(group=group, instance_id=instance_id, after_ms=old.config.notice_ms)
    if not old.config.capacity_rebalance:
        return state, (due,)
    warned = dataclasses.replace(old, at_risk=old.at_risk | {instance_id})
    state, more = _reconcile(state, warned, now_ms)
    return state, (due, *more)


def reclaim(
    state: AutoScaling, group: str, instance_id: str, now_ms: int, *, interrupted: bool = True
) -> Change:
    """Take an instance back at once; desired stays, so the group launches another.

    One that is gone or is shutting down already changes nothing: spot takes running instances only. Not
    ``interrupted`` is an instance that somebody ended in EC2.
    """
    old = state.groups[group]
    found = old.instance(instance_id)
    if found is None or found.lifecycle is Lifecycle.TERMINATING:
        return state, ()
    rest = tuple(one for one in old.instances if one.id != instance_id)
    gone = InstanceGone(group=group, instance=found, interrupted=interrupted)
    left = dataclasses.replace(old, instances=rest, failing=None)
    state, more = _reconcile(state, left, now_ms)
    return state, (gone, *more)


def add_window(state: AutoScaling, group: str, window: NoCapacityWindow) -> AutoScaling:
    """Return the state with a time in which EC2 cannot launch for the group."""
    old = state.groups[group]
    return _with(state, dataclasses.replace(old, windows=(*old.windows, window)))


def view(group: GroupState) -> AutoScalingGroup:
    """Return the group as DescribeAutoScalingGroups and DescribeScalingActivities show it."""
    config = group.config
    return AutoScalingGroup(
        name=config.name,
        min_size=config.min_size,
        max_size=config.max_size,
        desired=group.desired,
        zones=config.zones,
        tags=config.tags,
        shapes=config.shapes,
        instances=group.instances,
        activities=group.activities,
    )


def _below_minimum(config: GroupConfig) -> Rejected:
    return Rejected(
        code="ValidationError",
        message=f"Currently, desiredSize equals minSize ({config.min_size}). Terminating instance"
        f" without replacement will violate group's min size constraint.",
    )


def _reconcile(state: AutoScaling, group: GroupState, now_ms: int) -> Change:
    """Begin a new attempt: pools that were shut in the last one are tried again."""
    if group.refused:
        group = dataclasses.replace(group, refused=())
    return _settle(state, group, now_ms)


def _settle(state: AutoScaling, group: GroupState, now_ms: int) -> Change:
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
            group, due = _terminate(group, one)
            effects.append(due)
        group = dataclasses.replace(group, balancing="")
    return _with(state, group), tuple(effects)


def _launch(state: AutoScaling, group: GroupState, missing: int, now_ms: int) -> Change:
    config = group.config
    if "Launch" in config.suspended_processes:
        return _with(state, group), ()
    effects: list[Effect] = []
    next_launch = state.next_launch
    left = missing
    while left > 0:
        group, launch = _begin(group, next_launch, now_ms)
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
    return _with(dataclasses.replace(state, next_launch=next_launch), group), tuple(effects)


def _begin(group: GroupState, launch_id: int, now_ms: int) -> tuple[GroupState, Launch | None]:
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


def _appear(
    state: AutoScaling, group: GroupState, launch: Launch, now_ms: int, instance_id: str = ""
) -> tuple[AutoScaling, GroupState, InstanceStarted]:
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
            group, effect = _terminate(group, leaving)
            effects.append(effect)
    return _with(state, group), tuple(effects)


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


def _terminate(group: GroupState, leaving: Instance) -> tuple[GroupState, InstanceGoneDue]:
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


def _with(state: AutoScaling, group: GroupState) -> AutoScaling:
    return dataclasses.replace(state, groups={**state.groups, group.config.name: group})
