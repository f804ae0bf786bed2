"""Carries out what ``cloud`` decided: launches, ends, retries and notices become calls of EC2, timers and events.

Why it exists: every operation and every timer of a group is one decision, followed by this.
"""

from __future__ import annotations

from collections import deque

from lowtide.cloud.groups import (
    Change,
    Effect,
    InstanceGone,
    InstanceGoneDue,
    InstanceStarted,
    InterruptionDue,
    LaunchCancelled,
    LaunchDue,
    LaunchFailed,
    Rejected,
    RetryDue,
)
from lowtide.local.aws.autoscaling import activities, causes, launching, leaving, notices
from lowtide.local.aws.autoscaling.causes import Why
from lowtide.local.aws.autoscaling.requests import refuse
from lowtide.local.aws.autoscaling.state import NAME, Group, state_of
from lowtide.local.aws.box import Box


def carry_out(box: Box, group: Group, outcome: Change | Rejected, why: Why) -> None:
    """Take over a decision on a group and do what follows from it.

    Raises:
        AwsError: the decision was a refusal.
    """
    if isinstance(outcome, Rejected):
        raise refuse(outcome.message)
    _Round(box, group, why).run(outcome)


def look_at_zones(box: Box, group: Group, after_s: float) -> None:
    """Have the balance of a group's zones looked at once it has come to rest."""
    if len(group.subnets) < 2 or group.balance_due or group.deleting:
        return
    group.balance_due = True
    box.after(after_s, NAME, "balance", region=group.region, group=group.name)


class _Round:
    """One decision with all that it leads to. Its failed launches are one activity, as one attempt's are on AWS."""

    def __init__(self, box: Box, group: Group, why: Why) -> None:
        self._box = box
        self._group = group
        self._why = why
        self._before = self._held()
        self._after = self._before
        self._failed: LaunchFailed | None = None

    def run(self, change: Change) -> None:
        state = state_of(self._box)
        queue: deque[Effect] = deque(change[1])
        state.clouds[self._group.region] = change[0]
        self._after = self._held()
        while queue:
            effect = queue.popleft()
            if isinstance(effect, LaunchDue):
                cause = causes.of_launch(self._box, self._why, self._before, self._after)
                ids = [effect.launch_id, *self._of_same_pool(effect, queue)]
                for refused in launching.launch(self._box, self._group, ids, cause):
                    state.clouds[self._group.region] = refused[0]
                    queue.extend(refused[1])
            else:
                self._do(effect)
        if self._failed is not None and not self._failed.silent:
            wanted = self._before + self._failed.count
            cause = causes.of_launch(self._box, self._why, self._before, max(wanted, self._after))
            launching.fail(self._box, self._group, self._failed.code, cause)

    def _of_same_pool(self, first: LaunchDue, queue: deque[Effect]) -> list[int]:
        """Take the launches that go to the same pool out of the queue: EC2 is asked once for all of them."""
        pools = launching.pools(self._box, self._group)
        same: list[int] = []
        others: list[Effect] = []
        for one in queue:
            if isinstance(one, LaunchDue) and pools.get(one.launch_id) == pools.get(
                first.launch_id
            ):
                same.append(one.launch_id)
            else:
                others.append(one)
        queue.clear()
        queue.extend(others)
        return same

    def _do(self, effect: Effect) -> None:
        box, group = self._box, self._group
        if isinstance(effect, RetryDue):
            box.after(effect.after_ms / 1000, NAME, "retry", region=group.region, group=group.name)
        elif isinstance(effect, InstanceStarted):
            launching.show_in_service(box, group, effect.instance.id)
        elif isinstance(effect, InstanceGoneDue):
            member = group.members[effect.instance_id]
            why = causes.AT_RISK if member.warned and not self._why.ends else self._why
            # Until an instance that was replaced ends, there is one more than the group counts.
            before = max(self._before, self._after + 1)
            cause = causes.of_end(box, why, member.id, before, self._after)
            leaving.begin(box, group, member, cause)
        elif isinstance(effect, InstanceGone):
            leaving.lost(
                box, group, effect, causes.of_end(box, causes.LOST, effect.instance.id, 0, 0)
            )
        elif isinstance(effect, InterruptionDue):
            notices.warn(box, group, group.members[effect.instance_id], effect.after_ms / 1000)
        elif isinstance(effect, LaunchCancelled):
            self._give_up()
        elif isinstance(effect, LaunchFailed):
            self._failed = effect
        if isinstance(effect, InstanceStarted | InstanceGone | InstanceGoneDue):
            look_at_zones(box, group, box.settings.delays.launch_retry_s)

    def _give_up(self) -> None:
        kept = {one.id for one in state_of(self._box).decided(self._group).launches}
        for member in list(self._group.members.values()):
            if member.launch_id is not None and member.launch_id not in kept:
                activities.cancel(self._box, member.activity)
                cause = causes.of_end(self._box, self._why, member.id, self._before, self._after)
                leaving.begin(self._box, self._group, member, cause)

    def _held(self) -> int:
        decided = state_of(self._box).cloud(self._group.region).groups.get(self._group.name)
        return 0 if decided is None else decided.desired - decided.missing
