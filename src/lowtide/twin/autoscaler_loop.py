"""When the autoscaler looks, and how its decisions reach the world.

Why it exists: the engine decides as a pure function; the rhythm of its loops decides how long pods wait. The clock is that of
the real binary (loop/trigger.go at 1.36.1) with a fixed time for a loop: it starts at the next instant k * 0.1 s + 0.05 s, so
it never coincides with the world or the scheduler.

What it must not know: how a decision is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lowtide.cloud.groups import Rejected
from lowtide.engine import tags
from lowtide.engine.autoscaler import asks_aws, autoscale, started
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.options import SECOND, AutoscalerOptions
from lowtide.model.decision import (
    AddTaint,
    Command,
    Decision,
    DeleteNode,
    Refusal,
    RemoveTaint,
    SetDesired,
    TerminateInstance,
)
from lowtide.model.snapshot import Snapshot
from lowtide.twin.actuator import Actuator
from lowtide.twin.kernel import Priority
from lowtide.twin.ports import AutoscaledWorld, Clock
from lowtide.twin.rules import WorldRules

ACTOR = "cluster-autoscaler"
GRID_MS = 100
GRID_OFFSET_MS = 50
LOOP_AFTER_PROVIDER_MS = SECOND
"""The provider is built, and asks AWS for the first time, this long before the loop starts."""

#: Sees every loop: what it saw, what it decided, and its memory after it.
Watcher = Callable[[Snapshot, Decision, AutoscalerMemory], None]


def next_instant(time_ms: int) -> int:
    """Return the first instant of the form k * 100 + 50 ms at or after a time."""
    return time_ms + (GRID_OFFSET_MS - time_ms) % GRID_MS


class AutoscalerLoop:
    """One running autoscaler process; stopping it loses its memory."""

    def __init__(
        self,
        world: AutoscaledWorld,
        kernel: Clock,
        options: AutoscalerOptions,
        rules: WorldRules,
        watcher: Watcher | None = None,
    ) -> None:
        self._world = world
        self._watcher = watcher
        self._kernel = kernel
        # One seed for the whole run: the flags have none.
        options = replace(options, seed=rules.seed)
        self._options = options
        self._loop_ms = round(rules.timings.autoscaler_loop_s * SECOND)
        self._actuator = Actuator(world, kernel, options)
        self._memory = AutoscalerMemory()
        self._timer: int | None = None
        self._waiting = False
        self._signal = False
        self._starts: list[int] = []
        self._productive_ms: int | None = None
        self.refusals: dict[str, tuple[Refusal, ...]] = {}
        """For each pod that no group could help in the last loop: why, group by group."""

    def start(self, at_ms: int) -> None:
        """Start the process: the provider asks AWS at ``at_ms``, the first loop comes a scan later."""
        self._timer = self._kernel.at(at_ms, self._begin, priority=Priority.AUTOSCALER)

    def stop(self) -> None:
        """Stop the process; what it had under way stays as it is."""
        if self._timer is not None:
            self._kernel.cancel(self._timer)
        self._timer = None
        self._waiting = False
        self._actuator.stopped = True
        self.refusals = {}

    def pods_became_unschedulable(self, count: int) -> None:
        """Note that pods just became unschedulable: the next loop starts at once.

        The channel holds one more signal, so several pods at one instant make two loops.
        """
        if not self._options.frequent_loops_enabled or count < 1 or self._timer is None:
            return
        if self._waiting:
            self._kernel.cancel(self._timer)
            self._schedule(self._kernel.now_ms)
            count -= 1
        self._signal = self._signal or count > 0

    @property
    def quiet_after_ms(self) -> int:
        """When the last timer or back-off that is known now has run out.

        Rechecks of nodes that cannot be removed are no timers: they come every five minutes for ever.
        """
        memory, options = self._memory, self._options
        longest_ms = max(
            [
                options.scale_down_unneeded_ms,
                options.scale_down_unready_ms,
                *(
                    tags.duration_ms(group.options.get(key), 0)
                    for group in memory.groups.values()
                    for key in ("scaledownunneededtime", "scaledownunreadytime")
                ),
            ]
        )
        times = [one.until_ms for one in memory.backoffs.values()]
        times += [one.expected_by_ms for one in memory.requests.values()]
        times += [since + longest_ms for since in memory.unneeded.values()]
        times += [
            since + options.max_node_provision_time_ms
            for since in memory.unregistered_since.values()
        ]
        if memory.scaled_up_ms is not None:
            times.append(memory.scaled_up_ms + options.scale_down_delay_after_add_ms)
        return max(times, default=self._kernel.now_ms)

    def asks_aws(self, now_ms: int) -> bool:
        """Return whether a loop at that time looks at the groups of its snapshot anew."""
        return asks_aws(
            self._memory.asked_ms, now_ms, has_ended_deletions=self._actuator.has_results
        )

    def _begin(self) -> None:
        self._memory = started(self._world.snapshot(), self._options)
        self._timer = self._kernel.at(
            self._kernel.now_ms + LOOP_AFTER_PROVIDER_MS, self._wait, priority=Priority.AUTOSCALER
        )

    def _schedule(self, time_ms: int) -> None:
        self._waiting = False
        self._timer = self._kernel.at(
            next_instant(time_ms), self._run, priority=Priority.AUTOSCALER, periodic=True
        )

    def _wait(self) -> None:
        """Run again at once after a productive loop or a signal, else after the scan interval."""
        if self._options.frequent_loops_enabled:
            if self._was_productive():
                self._signal = False
                self._schedule(self._kernel.now_ms)
                return
            if self._signal:
                self._signal = False
                self._schedule(self._kernel.now_ms)
                return
        # A timer of a negative duration fires at once (Go, time.After).
        self._schedule(self._kernel.now_ms + max(0, self._options.scan_interval_ms))
        self._waiting = True

    def _was_productive(self) -> bool:
        """A scale-up or a deletion makes two loops follow: the time compared is one loop old."""
        if self._productive_ms is None or not self._starts:
            return False
        return self._productive_ms >= self._starts[0]

    def _run(self) -> None:
        now_ms = self._kernel.now_ms
        self._waiting = False
        self._starts = [*self._starts[-1:], now_ms]
        snapshot = self._snapshot()
        decision, self._memory = autoscale(snapshot, self._memory, self._options)
        if decision.scaled_up or decision.tainted:
            self._productive_ms = now_ms
        self._carry_out(decision)
        if self._watcher is not None:
            self._watcher(snapshot, decision, self._memory)
        self._timer = self._kernel.at(
            now_ms + self._loop_ms, self._wait, priority=Priority.AUTOSCALER, periodic=True
        )

    def _snapshot(self) -> Snapshot:
        return replace(
            self._world.snapshot(),
            deletions=self._actuator.running,
            deletion_results=self._actuator.take_results(),
        )

    def _carry_out(self, decision: Decision) -> None:
        refusals: dict[str, list[Refusal]] = {}
        for one in decision.refusals:
            for pod in one.pods:
                refusals.setdefault(pod, []).append(one)
        self.refusals = {pod: tuple(many) for pod, many in refusals.items()}
        for command in decision.commands:
            self._execute(command)
        for note in decision.notes:
            self._world.log(f"{ACTOR}: {note}")

    def _execute(self, command: Command) -> None:
        world = self._world
        match command:
            case SetDesired(group=group, old=old, new=new, why=why):
                world.decide(
                    ACTOR, "set desired capacity", f"group/{group}", f"{old} -> {new}: {why}"
                )
                self._tell_refusal(f"group/{group}", world.set_desired(group, new))
            case DeleteNode(node=node, why=why):
                world.decide(ACTOR, "remove node", f"node/{node}", why)
                self._actuator.start(command)
            case TerminateInstance(group=group, instance_id=instance, why=why):
                world.decide(ACTOR, "terminate instance", f"instance/{instance}", why)
                self._tell_refusal(
                    f"instance/{instance}", world.terminate_instance(group, instance)
                )
            case AddTaint(node=node, taint=taint):
                world.add_taint(node, taint)
            case RemoveTaint(node=node, key=key, uncordon=uncordon):
                world.remove_taint(node, key)
                if uncordon:
                    world.uncordon(node)

    def _tell_refusal(self, subject: str, rejected: Rejected | None) -> None:
        if rejected is not None:
            self._world.decide("AWS", "refuses", subject, rejected.message)
