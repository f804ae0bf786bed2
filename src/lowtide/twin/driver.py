"""Plays a scenario: steps at their time or once a condition has held, trace jobs, and the end.

Why it exists: it is the person at the terminal, and the clock that ends the run.

Steps run in order; a condition is looked at only after the step before it was carried out, at the end of each instant
in which anything changed. ``gpuNodes`` follows a step with a delay: where it holds already in the instant of the step
before while pods still wait, that is the state before the step's effect, and it counts only once it has been left or no pod waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from lowtide.cloud.groups import NoCapacityWindow
from lowtide.model.kube import PodSpec, Toleration
from lowtide.model.names import EKSCTL_NODEGROUP, ZONE
from lowtide.model.quantity import CPU, MEMORY, NVIDIA_GPU
from lowtide.model.scenario import (
    Apply,
    Condition,
    Delete,
    Interrupt,
    NoCapacity,
    Scale,
    Scenario,
    Step,
    TraceJob,
)
from lowtide.model.workload import (
    Budget,
    ConfigMap,
    Job,
    KubeObject,
    Meta,
    OtherObject,
    PriorityClass,
)
from lowtide.twin.kernel import SECOND_MS
from lowtide.twin.world import World

USER = "user"
#: A trace's pods are not restarted by chance: only a lost node fails them.
TRACE_BACKOFF_LIMIT = 1_000_000


class Watch:
    """A condition that is watched for: has it held for long enough."""

    def __init__(self, condition: Condition, hold_ms: int, world: World) -> None:
        self._condition = condition
        self.hold_ms = hold_ms
        """How long it must hold."""
        self._world = world
        self._lags = condition.metric == "gpuNodes"
        self.timer: int | None = None
        """The event that waits for the condition to have held."""

    def holds(self) -> bool:
        """Return whether the condition holds and says something about the steps so far."""
        holds = self._condition.holds(metric(self._condition.metric, self._world))
        if self._lags and (not holds or self._world.store.count.pending == 0):
            self._lags = False
        return holds and not self._lags


def metric(name: str, world: World) -> int:
    """Return the present value of a condition's metric.

    Raises:
        KeyError: the metric is not known.
    """
    count = world.store.count
    values = {
        "gpuNodes": world.capacity.gpu_nodes,
        "podsRunning": count.running,
        "podsPending": count.pending,
        "podsFinished": count.finished,
    }
    return values[name]


class Driver:
    """Carries a scenario out on a world; ``ended`` says how the run ended, empty while it goes on."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self._kernel = world.kernel
        self._scenario = scenario
        self._steps = list(scenario.steps)
        self._watch: Watch | None = None
        self._trace = sorted(scenario.trace, key=lambda job: job.submit_ms)
        self._next_job = 0
        self._jobs = 0
        self._shapes: dict[tuple[object, ...], PodSpec] = {}
        self._seen_version = -1
        self.ended = ""

    def start(self) -> None:
        """Begin; the scenario's times are the kernel's."""
        self._submit_next()
        self._arm_next()

    def end(self) -> None:
        """Say what the scenario asked for and the run never came to: its figures are of less than was asked."""
        left = len(self._steps)
        number = len(self._scenario.steps) - left + 1
        until = self._scenario.until
        if left:
            which = f"Step {number}" if left == 1 else f"Steps {number} to {number + left - 1}"
            waited = self._steps[0].after
            awaited = (
                f"the time of step {number} was not reached"
                if waited is None
                else f"{waited} never held for as long as step {number} asks"
            )
            self._world.recorder.warn(f"{which} of the scenario did not happen: {awaited}.")
        elif until is not None and not self.ended:
            self._world.recorder.warn(f"The scenario's until, {until}, did not come to hold.")

    def end_instant(self) -> None:
        """Look at the condition that is waited for, if anything changed in this instant."""
        if self._watch is None or self._world.store.version == self._seen_version:
            return
        self._seen_version = self._world.store.version
        watch = self._watch
        holds = watch.holds()
        if holds and watch.timer is None:
            watch.timer = self._kernel.after(watch.hold_ms, self._met)
        elif not holds and watch.timer is not None:
            self._kernel.cancel(watch.timer)
            watch.timer = None

    def _arm_next(self) -> None:
        """Wait for the next step, or after the last one for the end."""
        self._watch = None
        self._seen_version = -1
        if not self._steps:
            if self._scenario.until is not None:
                self._watch = Watch(self._scenario.until, 0, self._world)
            return
        step = self._steps[0]
        if step.after is not None:
            self._watch = Watch(step.after, step.hold_ms, self._world)
            return
        due_ms = _whole(step.at_ms or 0)
        self._kernel.at(max(due_ms, self._kernel.world_time(0)), self._step)

    def _met(self) -> None:
        if self._watch is not None and not self._watch.holds():
            self._watch.timer = None
            return
        if self._steps:
            self._step()
        else:
            self.ended = "until"

    def _step(self) -> None:
        step = self._steps.pop(0)
        self._act(step)
        self._arm_next()

    def _act(self, step: Step) -> None:
        world = self._world
        match step.action:
            case Apply(objects=objects):
                world.decide(USER, "applies", *_told(objects))
                world.apply(objects)
            case Delete(targets=targets):
                for target in targets:
                    found = world.delete(target)
                    world.decide(USER, "deletes", str(target), "" if found else "not found")
            case Scale(target=target, replicas=replicas):
                world.decide(USER, f"scales to {replicas}", str(target))
                if not world.scale(target, replicas):
                    world.decide("API server", "cannot scale", str(target), "not found")
            case Interrupt(group=group, count=count):
                self._interrupt(group, count)
            case NoCapacity() as fault:
                self._no_capacity(fault)

    def _interrupt(self, group: str, count: int) -> None:
        capacity = self._world.capacity
        chosen = capacity.reclaimable(group)[:count]
        for instance_id in chosen:
            capacity.give_notice(group, instance_id)
        if len(chosen) < count:
            why = f"{len(chosen)} of {count} spot instances exist"
            self._world.decide("EC2", "interrupts fewer instances", f"group/{group}", why)

    def _no_capacity(self, fault: NoCapacity) -> None:
        now_ms = self._kernel.now_ms
        window = NoCapacityWindow(from_ms=now_ms, to_ms=now_ms + fault.duration_ms, zone=fault.zone)
        for name, profile in self._world.profiles.items():
            if fault.group in {"", name} and (not fault.zone or fault.zone in profile.config.zones):
                self._world.shut_capacity(name, window)
        where = (
            f"group/{fault.group}"
            if fault.group
            else f"zone/{fault.zone}"
            if fault.zone
            else "region"
        )
        self._world.decide("EC2", "has no capacity", where, f"for {fault.duration_ms // 1000} s")
        self._kernel.after(
            fault.duration_ms, lambda: self._world.decide("EC2", "has capacity again", where)
        )

    def _submit_next(self) -> None:
        if self._next_job < len(self._trace):
            due_ms = _whole(self._trace[self._next_job].submit_ms)
            self._kernel.at(due_ms, self._submit)

    def _submit(self) -> None:
        """Submit every job of this second, then wait for the next one: the heap stays small."""
        now_ms = self._kernel.now_ms
        while (
            self._next_job < len(self._trace)
            and _whole(self._trace[self._next_job].submit_ms) <= now_ms
        ):
            self._next_job += 1
            self._world.apply((self._job_of(self._trace[self._next_job - 1]),))
        self._submit_next()

    def _job_of(self, job: TraceJob) -> Job:
        self._jobs += 1
        shape = (job.gpus, job.cpu_milli, job.memory_bytes, job.group, job.zone, job.run_ms)
        template = self._shapes.setdefault(shape, _template(job))
        return Job(
            meta=Meta(kind="Job", name=job.name or f"job-{self._jobs:06d}"),
            parallelism=job.gang,
            completions=job.gang,
            backoff_limit=TRACE_BACKOFF_LIMIT,
            template=template,
        )


def _template(job: TraceJob) -> PodSpec:
    selector = {EKSCTL_NODEGROUP: job.group} if job.group else {}
    if job.zone:
        selector[ZONE] = job.zone
    requests = {CPU: job.cpu_milli, MEMORY: job.memory_bytes, NVIDIA_GPU: job.gpus}
    return PodSpec(
        requests={name: amount for name, amount in requests.items() if amount},
        node_selector=selector,
        tolerations=(Toleration(key=NVIDIA_GPU, operator="Exists"),) if job.gpus else (),
        run_seconds=job.run_ms / SECOND_MS,
        restart_policy="Never",
    )


def _whole(time_ms: int) -> int:
    """Return the whole second at or after a time."""
    return -(-time_ms // SECOND_MS) * SECOND_MS


def _told(objects: Sequence[KubeObject]) -> tuple[str, str]:
    """Return what was applied as a person would say it: one object by name, many by what makes pods."""
    if len(objects) == 1:
        return str(objects[0].meta), ""
    with_pods = [str(one.meta) for one in objects if not isinstance(one, _WITHOUT_PODS)]
    rest = len(objects) - len(with_pods)
    return f"{len(objects)} objects", ", ".join(with_pods) + (f" and {rest} more" if rest else "")


_WITHOUT_PODS = (OtherObject, ConfigMap, PriorityClass, Budget)
