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

from lowtide.cloud.groups import (
    AutoScaling,
    Change,
    Effect,
    GroupConfig,
    GroupState,
    InstanceGone,
    InterruptionDue,
    LaunchDue,
    NoCapacityWindow,
    RefusedPool,
    Rejected,
)
from lowtide.cloud.reconciling import appear, begin, reconcile, settle, terminate, with_group
from lowtide.model.asg import AutoScalingGroup, Instance, Lifecycle


def create(configs: Iterable[GroupConfig], *, launched_ms: int) -> AutoScaling:
    """Return groups whose desired instances have been InService since ``launched_ms``."""
    state = AutoScaling()
    for config in configs:
        group = GroupState(config=config, desired=config.desired)
        left = config.desired
        while left > 0:
            group, launch = begin(group, state.next_launch, launched_ms)
            state = dataclasses.replace(state, next_launch=state.next_launch + 1)
            if launch is None:
                break
            left -= config.units((launch,))
            state, group, _started = appear(state, group, launch, launched_ms)
        state = with_group(state, dataclasses.replace(group, activities=()))
    return state


def add_group(state: AutoScaling, config: GroupConfig, now_ms: int) -> Change:
    """Create a group (CreateAutoScalingGroup), which launches its desired capacity."""
    return reconcile(state, GroupState(config=config, desired=config.desired), now_ms)


def update_group(state: AutoScaling, config: GroupConfig, now_ms: int) -> Change:
    """Give a group another configuration (UpdateAutoScalingGroup); ``config.desired`` is its desired capacity from now on."""
    old = state.groups[config.name]
    changed = dataclasses.replace(old, config=config, desired=config.desired, failing=None)
    return reconcile(state, changed, now_ms)


def configure(state: AutoScaling, config: GroupConfig) -> AutoScaling:
    """Return the state with another configuration of a group, whose desired capacity stays; nothing happens yet."""
    return with_group(state, dataclasses.replace(state.groups[config.name], config=config))


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
    return reconcile(state, dataclasses.replace(old, desired=desired, failing=None), now_ms)


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
    leaving, effect = terminate(lowered, found)
    state, more = reconcile(state, leaving, now_ms)
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
    return settle(state, left, now_ms)


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
    return reconcile(state, dataclasses.replace(old, launches=rest, desired=desired), now_ms)


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
    return reconcile(state, dataclasses.replace(old, instances=rest, desired=desired), now_ms)


def attach(state: AutoScaling, group: str, instance: Instance) -> AutoScaling:
    """Let a running instance join a group, whose desired capacity grows by it (AttachInstances)."""
    old = state.groups[group]
    desired = old.desired + old.config.units((instance,))
    instances = (*old.instances, instance)
    return with_group(state, dataclasses.replace(old, desired=desired, instances=instances))


def protect(state: AutoScaling, group: str, instance_id: str, *, protected: bool) -> AutoScaling:
    """Protect an instance from being chosen when the group shrinks, or end that (SetInstanceProtection)."""
    old = state.groups[group]
    instances = tuple(
        dataclasses.replace(one, protected=protected) if one.id == instance_id else one
        for one in old.instances
    )
    return with_group(state, dataclasses.replace(old, instances=instances))


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
    state, new, started = appear(state, without, launch, now_ms, instance_id)
    effects: list[Effect] = [started]
    while new.missing <= 0 and len(new.leaving_at_risk) > len(new.launches):
        new, due = terminate(new, new.leaving_at_risk[0])
        effects.append(due)
    if not new.leaving_at_risk:
        new = dataclasses.replace(new, balancing="")
    return with_group(state, new), tuple(effects)


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
    begun, launch = begin(there, state.next_launch, now_ms)
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
    return with_group(state, changed), (due,)


def retry(state: AutoScaling, group: str, now_ms: int) -> Change:
    """Try again what could not be launched; a failure that is known already changes nothing."""
    old = state.groups[group]
    tried, effects = reconcile(state, dataclasses.replace(old, retry_due=False), now_ms)
    return (state if tried.groups[group] == old else tried), effects


def finish_termination(state: AutoScaling, group: str, instance_id: str) -> Change:
    """Let a terminating instance leave its group; one that left already changes nothing."""
    old = state.groups[group]
    found = old.instance(instance_id)
    if found is None:
        return state, ()
    rest = tuple(one for one in old.instances if one.id != instance_id)
    gone = InstanceGone(group=group, instance=found)
    return with_group(state, dataclasses.replace(old, instances=rest)), (gone,)


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
    state, more = reconcile(state, warned, now_ms)
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
    state, more = reconcile(state, left, now_ms)
    return state, (gone, *more)


def add_window(state: AutoScaling, group: str, window: NoCapacityWindow) -> AutoScaling:
    """Return the state with a time in which EC2 cannot launch for the group."""
    old = state.groups[group]
    return with_group(state, dataclasses.replace(old, windows=(*old.windows, window)))


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
