"""Writes down the run: instances, pods, transfers, states, decisions and the log.

Why it exists: reports and costs are made from this record alone, long after the world is gone.

What it must not know: prices beyond an instance's own, and how a report looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lowtide.cloud import purchase
from lowtide.model.kube import Pod
from lowtide.model.quantity import CPU, MEMORY
from lowtide.model.run import DecisionRow, InstanceUsage, PodUsage, StateRow, Transfer
from lowtide.twin.capacity import Capacity
from lowtide.twin.nodelife import Machine, NodeLife
from lowtide.twin.store import DELETED, FINISHED, Store, is_users


@dataclass(slots=True)
class PodHistory:
    """A pod of the user with its times; ``last`` is its latest value, ``how`` how it ended."""

    last: Pod
    workload: str
    bound_ms: int | None = None
    running_ms: int | None = None
    ended_ms: int | None = None
    how: str = ""

    @property
    def outcome(self) -> str:
        """Return the outcome as ``PodUsage`` defines it."""
        if self.ended_ms is None:
            return "pending" if self.running_ms is None else "running"
        if self.how == FINISHED:
            return "finished"
        if self.how == DELETED:
            return "cancelled" if self.running_ms is None else "stopped"
        return "lost"


class Recorder:
    """Collects what happens, at the kernel's times.

    ``workload_of`` says by what name a person knows the controller of a pod.
    """

    def __init__(self, store: Store, workload_of: Callable[[Pod], str]) -> None:
        self._workload_of = workload_of
        self._store = store
        self._kernel = store.kernel
        self.pods: dict[str, PodHistory] = {}
        """The user's pods by uid, in order of creation."""
        self.decisions: list[DecisionRow] = []
        self.transfers: list[Transfer] = []
        self.states: list[StateRow] = []
        self.notices: dict[str, None] = {}
        """What the run has to say loudly, each once."""
        self.log: list[str] = []
        self._seen_version = -1

    def listen(self) -> None:
        """Subscribe before everybody else, so that causes stand before effects in the log."""
        signals = self._store.signals
        signals.pod_added.insert(0, self._on_pod_added)
        signals.pod_bound.insert(0, self._on_pod_bound)
        signals.pod_running.insert(0, self._on_pod_running)
        signals.pod_deleting.insert(0, lambda pod, how: self.note(f"pod {pod.key} {how}, ending"))
        signals.pod_ended.insert(0, self._on_pod_ended)
        signals.node_added.insert(
            0, lambda node: self.note(f"node {node.name} registered ({node.instance_id})")
        )
        signals.node_removed.insert(0, lambda node: self.note(f"node {node.name} deleted"))
        signals.instance_started.insert(
            0, lambda group, one: self.note(f"instance {one.id} of {group} in service")
        )
        signals.instance_terminating.insert(
            0, lambda group, one: self.note(f"instance {one.id} of {group} terminating")
        )
        signals.instance_gone.insert(
            0,
            lambda group, one, interrupted: self.note(
                f"instance {one.id} of {group} {'interrupted' if interrupted else 'gone'}"
            ),
        )

    def note(self, line: str) -> None:
        """Add a line to the log."""
        now_ms = self._kernel.now_ms
        self.log.append(f"{now_ms // 1000}.{now_ms % 1000:03d} {line}")

    def decide(self, actor: str, action: str, subject: str, why: str = "") -> None:
        """Add a line to the decision list, and to the log."""
        row = DecisionRow(
            at_ms=self._kernel.now_ms, actor=actor, action=action, subject=subject, why=why
        )
        self.decisions.append(row)
        self.note(f"{actor} {action} {subject}" + (f": {why}" if why else ""))

    def warn(self, text: str) -> None:
        """Add what must be said beside every figure of the run; saying it again adds nothing."""
        self.notices[text] = None

    def transferred(self, way: str, size: int) -> None:
        """Add bytes that crossed a priced boundary."""
        self.transfers.append(Transfer(at_ms=self._kernel.now_ms, path=way, bytes=size))

    def end_instant(self, capacity: Capacity, nodes: NodeLife) -> None:
        """Add a state row if anything visible changed since the last one."""
        if self._store.version == self._seen_version:
            return
        self._seen_version = self._store.version
        groups = capacity.state.groups
        count = self._store.count
        row = StateRow(
            at_ms=self._kernel.now_ms,
            nodes_by_group={name: len(one.instances) for name, one in groups.items()},
            ready_by_group=dict(nodes.serving),
            desired_by_group={name: one.desired for name, one in groups.items()},
            pods_running=count.running,
            pods_pending=count.pending,
            pods_finished=count.finished,
            gpus_used=count.gpus_used,
            usd_per_hour=0.0,
        )
        if self.states and self.states[-1].at_ms == row.at_ms:
            self.states.pop()
        if not self.states or _differs(self.states[-1], row):
            self.states.append(row)

    def pod_usages(self) -> tuple[PodUsage, ...]:
        """Return the user's pods in order of creation."""
        return tuple(_pod_usage(one) for one in self.pods.values())

    def _on_pod_added(self, pod: Pod) -> None:
        self.note(f"pod {pod.key} created")
        if is_users(pod):
            self.pods[pod.uid] = PodHistory(last=pod, workload=self._workload_of(pod))

    def _on_pod_bound(self, pod: Pod) -> None:
        self.note(f"pod {pod.key} bound to {pod.node_name}")
        history = self.pods.get(pod.uid)
        if history is not None:
            history.last = pod
            history.bound_ms = self._kernel.now_ms

    def _on_pod_running(self, pod: Pod) -> None:
        self.note(f"pod {pod.key} running")
        history = self.pods.get(pod.uid)
        if history is not None:
            history.last = pod
            history.running_ms = self._kernel.now_ms

    def _on_pod_ended(self, pod: Pod, how: str) -> None:
        self.note(f"pod {pod.key} {how}")
        history = self.pods.get(pod.uid)
        if history is not None:
            history.last = pod
            history.ended_ms = self._kernel.now_ms
            history.how = how


def _differs(old: StateRow, new: StateRow) -> bool:
    return (
        old.nodes_by_group != new.nodes_by_group
        or old.ready_by_group != new.ready_by_group
        or old.desired_by_group != new.desired_by_group
        or (old.pods_running, old.pods_pending, old.pods_finished, old.gpus_used)
        != (new.pods_running, new.pods_pending, new.pods_finished, new.gpus_used)
    )


def _pod_usage(history: PodHistory) -> PodUsage:
    pod = history.last
    requests = pod.spec.requests
    return PodUsage(
        name=pod.name,
        namespace=pod.namespace,
        workload=history.workload,
        gpus=pod.spec.gpus,
        cpu_milli=requests.get(CPU, 0),
        memory_bytes=requests.get(MEMORY, 0),
        created_ms=pod.created_ms,
        bound_ms=history.bound_ms,
        running_ms=history.running_ms,
        ended_ms=history.ended_ms,
        outcome=history.outcome,
        node=pod.node_name or "",
    )


def instance_usage(machine: Machine) -> InstanceUsage:
    """Return an instance with its price and times; what existed before the run is billed from its start."""
    instance = machine.instance
    return InstanceUsage(
        id=instance.id,
        group=machine.group.name,
        instance_type=instance.instance_type,
        zone=instance.zone,
        capacity_type=instance.capacity_type,
        gpus=machine.node.gpus,
        launched_ms=max(0, instance.launched_ms),
        ended_ms=_from_start(machine.ended_ms),
        terminating_ms=_from_start(machine.terminating_ms),
        usd_per_hour=purchase.usd_per_hour(
            machine.group.config, instance.capacity_type, instance.instance_type
        ),
        node=machine.name if machine.registered else "",
        node_ready_ms=_from_start(machine.ready_ms),
        gpu_ready_ms=_from_start(machine.gpu_ms),
        interrupted=machine.interrupted,
    )


def _from_start(time_ms: int | None) -> int | None:
    return None if time_ms is None else max(0, time_ms)
