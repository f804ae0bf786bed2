"""What happens to instances by itself: they boot, wait, come into service, are taken back, end, and are tried again.

Why it exists: each is a timer of the service, so that a box that was stopped goes on where it was.
"""

from __future__ import annotations

from lowtide.cloud import autoscaling
from lowtide.cloud.groups import Rejected
from lowtide.local.aws.autoscaling import activities, causes, leaving, waiting
from lowtide.local.aws.autoscaling.effects import carry_out, look_at_zones
from lowtide.local.aws.autoscaling.requests import refreshed
from lowtide.local.aws.autoscaling.state import (
    LAUNCHING,
    Group,
    Member,
    Wait,
    member_of,
    now_ms,
    state_of,
)
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2 import instances
from lowtide.local.aws.errors import AwsError
from lowtide.model.names import SPOT

#: How many times longer than for a launch the group waits before it tries again to even out its zones.
_UNBALANCED = 10


def on_launched(box: Box, *, region: str, group: str, instance_id: str) -> None:
    """Timer: the instance has booted; lifecycle hooks may hold it back."""
    found = _found(box, region, group, instance_id)
    if found is None or found[1].launch_id is None or found[1].is_leaving:
        return
    if not waiting.begin(box, *found, LAUNCHING):
        _into_service(box, *found)


def on_retry(box: Box, *, region: str, group: str) -> None:
    """Timer: what could not be launched is tried again."""
    state = state_of(box)
    found = state.groups.get((region, group))
    if found is None or found.deleting:
        return
    refreshed(box, found)
    change = autoscaling.retry(state.cloud(region), group, now_ms(box))
    carry_out(box, found, change, causes.BY_ITSELF)


def on_balance(box: Box, *, region: str, group: str) -> None:
    """Timer: zones that differ too much are evened out, one instance after the other."""
    state = state_of(box)
    found = state.groups.get((region, group))
    if found is None or found.deleting:
        return
    found.balance_due = False
    refreshed(box, found)
    change = autoscaling.rebalance(state.cloud(region), group, now_ms(box))
    begun = change[0].groups[group].launches
    if not change[1]:
        return
    carry_out(box, found, change, causes.balancing(begun[-1].zone))
    if not state.decided(found).balancing:  # EC2 has no capacity there
        look_at_zones(box, found, _UNBALANCED * box.settings.delays.launch_retry_s)


def on_wait_over(
    box: Box, *, region: str, group: str, instance_id: str, token: str, beats: int
) -> None:
    """Timer: the time of a lifecycle action has run out, unless a heartbeat came."""
    found = _found(box, region, group, instance_id)
    if found is None:
        return
    for wait in found[1].waits.values():
        if wait.token == token and wait.beats == beats:
            hook = found[0].hooks.get(wait.hook, {})
            result = str(hook.get("DefaultResult", "ABANDON"))
            end_wait(box, *found, wait, result=result, why="Heartbeat Timeout")
            return


def end_wait(box: Box, group: Group, member: Member, wait: Wait, *, result: str, why: str) -> None:
    """End a lifecycle action. The last one that continues lets the instance go on; the first that abandons ends all."""
    member.waits.pop(wait.hook, None)
    if result == "ABANDON" and not member.is_leaving:
        member.waits.clear()
        words = f"Lifecycle Action with token {wait.token} was abandoned: {why}"
        _abandon(box, group, member, words)
    elif result == "ABANDON" or not member.waits:
        member.waits.clear()
        member.stage = "Proceed"
        if member.is_leaving:
            leaving.end(box, group, member)
        else:
            _into_service(box, group, member)


def on_end(box: Box, *, region: str, group: str, instance_id: str) -> None:
    """Timer: EC2 refused to terminate the instance; it is asked again."""
    found = _found(box, region, group, instance_id)
    if found is not None:
        leaving.end(box, *found)


def on_terminated(box: Box, *, region: str, group: str, instance_id: str) -> None:
    """Timer: the instance is gone."""
    found = _found(box, region, group, instance_id)
    if found is None:
        return
    state = state_of(box)
    cloud, _ = autoscaling.finish_termination(state.cloud(region), group, instance_id)
    state.clouds[region] = cloud
    leaving.finish(box, *found)


def interrupt(box: Box, *, region: str, instance_id: str) -> None:
    """Let spot ask an instance back: it has two minutes.

    Raises:
        AwsError: no group has the instance, or it is no spot instance, or it is not in service.
    """
    group, member = member_of(box, region, instance_id)
    if member.capacity_type != SPOT:
        raise AwsError("ValidationError", f"Instance {instance_id} is not a Spot Instance.")
    if member.is_leaving or member.launch_id is not None:
        raise AwsError(
            "ValidationError",
            f"Instance {instance_id} is {member.lifecycle_state}: here spot takes instances in service only.",
        )
    if member.warned:
        return
    cloud = state_of(box).cloud(region)
    change = autoscaling.give_notice(cloud, group.name, instance_id, now_ms(box))
    carry_out(box, group, change, causes.AT_RISK)


def on_reclaim(box: Box, *, region: str, group: str, instance_id: str) -> None:
    """Timer: the notice has passed; spot takes the instance, whatever its group is doing with it."""
    found = _found(box, region, group, instance_id)
    if found is not None:
        instances.reclaim(box, instance_id)
        _lose(box, *found, interrupted=True)


def on_instance_ended(box: Box, *, region: str, instance_id: str) -> None:
    """Timer of EC2's: an instance has ended there, and a health check finds out."""
    found = state_of(box).owner(region, instance_id)
    if found is not None and "HealthCheck" not in found[0].suspended:
        _lose(box, *found, interrupted=False)


def on_unhealthy(box: Box, *, region: str, group: str, instance_id: str) -> None:
    """Timer: an instance that was set unhealthy is replaced."""
    found = _found(box, region, group, instance_id)
    if found is None or found[1].healthy or found[1].is_leaving or found[1].launch_id is not None:
        return
    if "ReplaceUnhealthy" in found[0].suspended:
        return
    cloud = state_of(box).cloud(region)
    change = autoscaling.terminate_instance(cloud, group, instance_id, now_ms(box), decrement=False)
    carry_out(box, found[0], change, causes.UNHEALTHY)


def _into_service(box: Box, group: Group, member: Member) -> None:
    if member.launch_id is None:
        return
    cloud = state_of(box).cloud(group.region)
    change = autoscaling.complete_launch(
        cloud, group.name, member.launch_id, now_ms(box), instance_id=member.id
    )
    carry_out(box, group, change, causes.BY_ITSELF)


def _abandon(box: Box, group: Group, member: Member, why: str) -> None:
    activities.abandon(box, member.activity, why)
    _drop_launch(box, group, member)


def _drop_launch(box: Box, group: Group, member: Member) -> None:
    """Let a launch under way go, and launch another in its place."""
    assert member.launch_id is not None
    cloud = state_of(box).cloud(group.region)
    change = autoscaling.cancel_launch(
        cloud, group.name, member.launch_id, now_ms(box), decrement=False
    )
    assert not isinstance(change, Rejected)
    leaving.begin(box, group, member, causes.of_end(box, causes.LOST, member.id, 0, 0))
    carry_out(box, group, change, causes.LOST)


def _lose(box: Box, group: Group, member: Member, *, interrupted: bool) -> None:
    if member.is_leaving:
        return  # its end is on the way already
    if member.launch_id is not None:
        activities.cancel(box, member.activity)
        _drop_launch(box, group, member)
        return
    cloud = state_of(box).cloud(group.region)
    change = autoscaling.reclaim(cloud, group.name, member.id, now_ms(box), interrupted=interrupted)
    carry_out(box, group, change, causes.LOST)


def _found(box: Box, region: str, group: str, instance_id: str) -> tuple[Group, Member] | None:
    found = state_of(box).groups.get((region, group))
    if found is None or instance_id not in found.members:
        return None
    return found, found.members[instance_id]
