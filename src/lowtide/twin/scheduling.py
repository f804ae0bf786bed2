"""The scheduler's turn: after the world events of an instant, place what waits.

Why it exists: ``engine.scheduler`` decides; this asks it when something relevant changed, and binds what it
placed.
"""

from __future__ import annotations

from collections.abc import Callable

from lowtide.engine.options import SchedulerProfile
from lowtide.engine.scheduler import schedule
from lowtide.model.decision import Placements
from lowtide.model.kube import Node, Pod
from lowtide.model.snapshot import Snapshot
from lowtide.twin.kernel import Priority
from lowtide.twin.preemption import node_to_preempt
from lowtide.twin.rules import Warn
from lowtide.twin.store import Store

Unschedulable = Callable[[tuple[str, ...]], None]


class Scheduling:
    """Calls the scheduler once per instant in which pods wait and something relevant changed.

    ``unschedulable`` takes the keys of pods refused for the first time, ``warn`` what the run has to say loudly.
    """

    def __init__(
        self,
        store: Store,
        profile: SchedulerProfile,
        snapshot: Callable[[], Snapshot],
        unschedulable: Unschedulable,
        warn: Warn,
    ) -> None:
        self._store = store
        self._kernel = store.kernel
        self._profile = profile
        self._snapshot = snapshot
        self._unschedulable = unschedulable
        self._warn = warn
        self._warned = False
        self._lowest_priority: int | None = None
        """Of all pods so far: most runs have one priority, and nothing to preempt."""
        self._queued_ms: int | None = None
        self.last = Placements()
        """The last answer, which covers every pod that waits and was looked at."""
        signals = store.signals
        signals.pod_added.append(self._on_pod_added)
        signals.pod_ended.append(self._on_pod_ended)
        for nodes in (signals.node_added, signals.node_updated, signals.node_removed):
            nodes.append(self._on_node)

    def _on_pod_added(self, pod: Pod) -> None:
        priority = pod.spec.priority
        if self._lowest_priority is None or priority < self._lowest_priority:
            self._lowest_priority = priority
        if pod.node_name is None:
            self._wake()

    def _on_pod_ended(self, pod: Pod, _how: str) -> None:
        if pod.node_name is not None:
            self._wake()

    def _on_node(self, _node: Node) -> None:
        self._wake()

    def _wake(self) -> None:
        now_ms = self._kernel.now_ms
        if self._queued_ms == now_ms or not self._store.waiting:
            return
        self._queued_ms = now_ms
        self._kernel.at(now_ms, self._schedule, priority=Priority.SCHEDULER)

    def _schedule(self) -> None:
        self._queued_ms = None
        if not self._store.waiting:
            return
        placements = schedule(self._snapshot(), self._profile)
        self.last = placements
        for one in placements.placed:
            self._store.bind(one.pod, one.node)
        fresh = tuple(
            key for key in placements.refused if self._store.pods[key].unschedulable_ms is None
        )
        for key in fresh:
            self._store.refuse(key)
            self._warn_of_preemption(self._store.pods[key])
        if fresh:
            self._unschedulable(fresh)

    def _warn_of_preemption(self, refused: Pod) -> None:
        """Say once that a pod waits for which kube-scheduler would evict others."""
        lowest = self._lowest_priority
        if self._warned or lowest is None or refused.spec.priority <= lowest:
            return
        node = node_to_preempt(refused, self._snapshot())
        if node:
            self._warned = True
            self._warn(
                f"Preemption is not simulated: pod {refused.key} (priority {refused.spec.priority}) waits, and "
                f"kube-scheduler would evict pods of lower priority from node {node} for it."
            )
