"""Carries out what ``cloud`` decides: the world's Auto Scaling groups on the world's clock.

Why it exists: Auto Scaling is decided by pure functions; this turns their effects into events and signals.
"""

from __future__ import annotations

from collections.abc import Callable

from lowtide.cloud import autoscaling, groups
from lowtide.model.asg import AutoScalingGroup, Instance, Lifecycle
from lowtide.model.names import SPOT
from lowtide.twin.kernel import Kernel
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.rules import WorldRules
from lowtide.twin.store import Store

Tell = Callable[[str, str, str, str], None]


class Capacity:
    """The Auto Scaling groups of the world. ``tell`` takes actor, action, subject and why of a decision."""

    def __init__(
        self, store: Store, profiles: tuple[GroupProfile, ...], rules: WorldRules, tell: Tell
    ) -> None:
        self._store = store
        self._kernel: Kernel = store.kernel
        self._tell = tell
        self._gpu_groups = tuple(one.name for one in profiles if one.is_gpu)
        self._views: dict[str, tuple[groups.GroupState, AutoScalingGroup]] = {}
        self._noticed: set[str] = set()
        self._view: tuple[AutoScalingGroup, ...] | None = None
        self.state = autoscaling.create(
            (one.config for one in profiles), launched_ms=rules.start_ms - rules.initial_age_ms
        )

    def start(self) -> None:
        """Announce the instances that exist from the start."""
        for name, group in self.state.groups.items():
            for instance in group.instances:
                self._started(name, instance)
        for name, group in list(self.state.groups.items()):
            if group.missing > 0:
                self._carry_out(autoscaling.retry(self.state, name, self._kernel.now_ms))

    @property
    def view(self) -> tuple[AutoScalingGroup, ...]:
        """The groups as AWS shows them; unchanged groups are the identical values."""
        if self._view is None:
            self._view = tuple(self._view_of(one) for one in self.state.groups.values())
        return self._view

    @property
    def gpu_nodes(self) -> int:
        """GPU instances that exist or are asked for."""
        states = (self.state.groups[name] for name in self._gpu_groups)
        return sum(len(one.instances) + max(0, one.desired - one.live) for one in states)

    def set_desired(self, group: str, desired: int) -> groups.Rejected | None:
        """Set a group's desired capacity; returns AWS's refusal outside min and max."""
        return self._try(autoscaling.set_desired(self.state, group, desired, self._kernel.now_ms))

    def terminate(self, group: str, instance_id: str) -> groups.Rejected | None:
        """Terminate an instance and lower desired; returns AWS's refusal where there is one."""
        return self._try(
            autoscaling.terminate_instance(self.state, group, instance_id, self._kernel.now_ms)
        )

    def interrupt(self, group: str, index: int = 0) -> str | None:
        """Give notice to the index-th oldest live instance; returns its id, None without one."""
        live = [
            one
            for one in self.state.groups[group].instances
            if one.lifecycle is not Lifecycle.TERMINATING
        ]
        if index >= len(live):
            return None
        self.give_notice(group, live[index].id)
        return live[index].id

    def give_notice(self, group: str, instance_id: str) -> None:
        """Announce a spot interruption."""
        self._noticed.add(instance_id)
        self._carry_out(autoscaling.give_notice(self.state, group, instance_id))

    def reclaimable(self, group: str) -> list[str]:
        """Return the ids of a group's live spot instances without notice, oldest first."""
        return [
            one.id
            for one in self.state.groups[group].instances
            if one.capacity_type == SPOT
            and one.lifecycle is not Lifecycle.TERMINATING
            and one.id not in self._noticed
        ]

    def add_window(self, group: str, window: groups.NoCapacityWindow) -> None:
        """Let EC2 have no capacity for a group for a while."""
        self._set(autoscaling.add_window(self.state, group, window))

    def _view_of(self, group: groups.GroupState) -> AutoScalingGroup:
        name = group.config.name
        cached = self._views.get(name)
        if cached is None or cached[0] is not group:
            cached = self._views[name] = (group, autoscaling.view(group))
        return cached[1]

    def _set(self, state: groups.AutoScaling) -> None:
        old, self.state = self.state, state
        self._view = None
        if any(_has_moved(old.groups[name], new) for name, new in state.groups.items()):
            self._store.touch()

    def _try(self, outcome: groups.Change | groups.Rejected) -> groups.Rejected | None:
        if isinstance(outcome, groups.Rejected):
            return outcome
        self._carry_out(outcome)
        return None

    def _carry_out(self, change: groups.Change) -> None:
        state, effects = change
        self._set(state)
        for effect in effects:
            self._do(effect)

    def _do(self, effect: groups.Effect) -> None:
        match effect:
            case groups.LaunchDue(group=group, launch_id=launch_id, after_ms=after_ms):
                self._later(after_ms, lambda: self._complete(group, launch_id))
            case groups.RetryDue(group=group, after_ms=after_ms):
                self._kernel.after(after_ms, lambda: self._retry(group), periodic=True)
            case groups.InstanceStarted(group=group, instance=instance):
                self._started(group, instance)
            case groups.InstanceGoneDue(group=group, instance_id=instance_id, after_ms=after_ms):
                self._terminating(group, instance_id)
                self._later(after_ms, lambda: self._finish(group, instance_id))
            case groups.InterruptionDue(group=group, instance_id=instance_id, after_ms=after_ms):
                self._tell(
                    "EC2",
                    "gives notice of a spot interruption",
                    f"instance/{instance_id}",
                    f"group/{group}",
                )
                self._later(after_ms, lambda: self._reclaim(group, instance_id))
            case groups.InstanceGone(group=group, instance=instance, interrupted=interrupted):
                for hear in self._store.signals.instance_gone:
                    hear(group, instance, interrupted)
            case groups.LaunchFailed(group=group, count=count, code=code):
                self._tell("EC2", f"cannot launch {count}", f"group/{group}", code)
            case groups.LaunchCancelled(group=group, count=count):
                self._tell(
                    "Auto Scaling", f"gives up {count} launches", f"group/{group}", "desired fell"
                )

    def _later(self, after_ms: int, callback: Callable[[], None]) -> None:
        self._kernel.after(after_ms, callback)

    def _complete(self, group: str, launch_id: int) -> None:
        now_ms = self._kernel.now_ms
        self._carry_out(autoscaling.complete_launch(self.state, group, launch_id, now_ms))

    def _retry(self, group: str) -> None:
        self._carry_out(autoscaling.retry(self.state, group, self._kernel.now_ms))

    def _finish(self, group: str, instance_id: str) -> None:
        self._carry_out(autoscaling.finish_termination(self.state, group, instance_id))

    def _reclaim(self, group: str, instance_id: str) -> None:
        self._carry_out(autoscaling.reclaim(self.state, group, instance_id, self._kernel.now_ms))

    def _started(self, group: str, instance: Instance) -> None:
        for hear in self._store.signals.instance_started:
            hear(group, instance)

    def _terminating(self, group: str, instance_id: str) -> None:
        instance = self.state.groups[group].instance(instance_id)
        if instance is not None:
            for hear in self._store.signals.instance_terminating:
                hear(group, instance)


def _has_moved(old: groups.GroupState, new: groups.GroupState) -> bool:
    """Return whether anything but the group's bookkeeping changed: a retry that fails again is no change."""
    return old is not new and (
        (old.desired, old.instances, old.launches, old.windows)
        != (new.desired, new.instances, new.launches, new.windows)
    )
