"""One run: cluster and scenario in, run record out.

Why it exists: it is the twin's front door. It builds the world, lets time pass, and knows when to stop.

A run ends at the scenario's ``until``, at its longest duration, or when it is quiet: nothing but periodic loops is
left, every timer and back-off has run out, and a whole hour has changed nothing since. That hour is needed to see that
it is quiet and is no part of the run: nobody would have waited, or paid, for it.
"""

from __future__ import annotations

from collections.abc import Callable

from lowtide.model.cluster import ResolvedCluster
from lowtide.model.policy import Policy
from lowtide.model.run import RunRecord
from lowtide.model.scenario import Scenario
from lowtide.model.workload import KubeObject
from lowtide.twin.autoscaler_loop import AutoscalerLoop
from lowtide.twin.driver import Driver
from lowtide.twin.kernel import Kernel
from lowtide.twin.profiles import profiles_of
from lowtide.twin.recorder import instance_usage
from lowtide.twin.rules import HOUR_MS, WorldRules
from lowtide.twin.world import World

QUIET = "quiet"
QUIET_MS = HOUR_MS
#: How often the end of a quiet run is looked for, and progress reported, in ms of the run.
LOOK_EVERY_MS = 60_000
PROGRESS_EVERY_MS = 600_000

Progress = Callable[[int], None]


def run(  # noqa: PLR0913 - the six facts of a run, each named
    cluster: ResolvedCluster,
    scenario: Scenario,
    *,
    policy: Policy,
    initial: tuple[KubeObject, ...],
    addons: tuple[KubeObject, ...],
    seed: int,
    progress: Progress | None = None,
) -> RunRecord:
    """Run a scenario on a cluster and return what happened.

    ``initial`` are EKS's own objects, ``addons`` what ``lowtide up`` would install; both have long run when the scenario starts.
    ``progress`` takes the run's time in ms now and then. The same arguments give the identical record.
    """
    rules = WorldRules(
        pod_grace_ms=round(policy.timings.pod_grace_s * 1000),
        extended_resource_toleration=policy.extended_resource_toleration,
        s3_gateway_endpoint=cluster.network.s3_gateway_endpoint,
        # eksctl puts a single gateway into the first zone (pkg/cfn/builder/vpc.go), several into one zone each.
        nat_zones=cluster.zones[: cluster.network.nat_gateways],
        timings=policy.timings,
        seed=seed,
    )
    kernel = Kernel(rules.start_ms)
    world = World(kernel, profiles_of(cluster, policy.timings), rules, AutoscalerLoop)
    driver = Driver(world, scenario)
    world.start((*initial, *addons))
    driver.start()
    ended = Clock(world, driver, scenario, progress).run()
    return record_of(world, cluster.name, ended)


class Clock:
    """Lets time pass until the run ends."""

    def __init__(
        self, world: World, driver: Driver, scenario: Scenario, progress: Progress | None = None
    ) -> None:
        self._world = world
        self._kernel = world.kernel
        self._driver = driver
        self._progress = progress
        limits = [
            (limit_ms, how)
            for limit_ms, how in (
                (scenario.until_ms, "until"),
                (scenario.max_duration_ms, "maxDuration"),
            )
            if limit_ms is not None
        ]
        self._limit_ms: int | None
        self._limit_ms, self._limit = min(limits) if limits else (None, "")
        self._idle_since_ms: int | None = None
        self._next_look_ms = self._kernel.now_ms
        self._next_progress_ms = self._kernel.now_ms + PROGRESS_EVERY_MS

    def run(self) -> str:
        """Run to the end and return how it ended."""
        ended = self._run()
        self._driver.end()
        return ended

    def _run(self) -> str:
        kernel = self._kernel
        while True:
            while kernel.next_ms == kernel.now_ms:
                kernel.step()
                if self._driver.ended:
                    self._world.end_instant()
                    return self._driver.ended
            self._world.end_instant()
            self._driver.end_instant()
            if kernel.next_ms == kernel.now_ms:
                continue
            ended = self._advance()
            if ended:
                return ended

    def _advance(self) -> str:
        """Move the clock to the next event, or to the end of the run."""
        kernel = self._kernel
        due_ms = kernel.next_ms
        quiet_ms = self._quiet_at()
        if quiet_ms is not None and (due_ms is None or due_ms > quiet_ms):
            return self._stop(quiet_ms, QUIET)
        if due_ms is None:
            return self._stop(self._world.store.changed_ms + QUIET_MS, QUIET)
        if self._limit_ms is not None and due_ms > self._limit_ms:
            return self._stop(self._limit_ms, self._limit)
        kernel.now_ms = due_ms
        if self._progress is not None and due_ms >= self._next_progress_ms:
            self._next_progress_ms = due_ms + PROGRESS_EVERY_MS
            self._progress(due_ms)
        return ""

    def _stop(self, time_ms: int, how: str) -> str:
        if self._limit_ms is not None and time_ms > self._limit_ms:
            time_ms, how = self._limit_ms, self._limit
        self._kernel.now_ms = max(self._kernel.now_ms, time_ms)
        return how

    def _quiet_at(self) -> int | None:
        """Return when the run will have been quiet for long enough, None while something may still come."""
        now_ms = self._kernel.now_ms
        if self._kernel.work:
            self._idle_since_ms = None
            return None
        self._world.waits.hear()
        changed_ms = self._world.store.changed_ms
        if self._idle_since_ms is None or changed_ms > self._idle_since_ms:
            self._idle_since_ms = now_ms
        if now_ms >= self._next_look_ms:
            self._next_look_ms = now_ms + LOOK_EVERY_MS
            loop = self._world.autoscalers.loop
            if loop is not None and loop.quiet_after_ms > now_ms:
                self._idle_since_ms = now_ms
        return self._idle_since_ms + QUIET_MS


def record_of(world: World, cluster: str, ended: str) -> RunRecord:
    """Return what happened in a world until now, or until it fell quiet."""
    recorder = world.recorder
    end_ms = _quiet_since_ms(world) if ended == QUIET else world.kernel.now_ms
    machines = world.nodes.machines.values()
    return RunRecord(
        cluster=cluster,
        seed=world.rules.seed,
        ended=ended,
        duration_ms=end_ms,
        instances=tuple(instance_usage(one) for one in machines),
        pods=recorder.pod_usages(),
        transfers=tuple(recorder.transfers),
        states=tuple(recorder.states),
        decisions=tuple(one for one in recorder.decisions if one.at_ms <= end_ms),
        refused=world.waits.refused(recorder.pods.values(), world.capacity),
        interruptions=sum(1 for one in machines if one.interrupted),
        notices=tuple(recorder.notices),
        log=tuple(recorder.log),
    )


def _quiet_since_ms(world: World) -> int:
    """Return when the last thing happened: a change, an answer to a pod, or a decision that repeats no earlier one."""
    told: dict[tuple[str, str, str, str], int] = {}
    for row in world.recorder.decisions:
        told.setdefault((row.actor, row.action, row.subject, row.why), row.at_ms)
    return max(world.store.changed_ms, world.waits.answered_ms, *told.values())
