"""Carries out node deletions that the autoscaler decided: taint, wait, drain, terminate.

Why it exists: a deletion outlives the loop that started it (core/scaledown/actuation at 1.36.1). It may still be given
up: an empty node that got a pod meanwhile is kept.

What it must not know: why a node was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.engine.drain import Budgets, pods_to_move
from lowtide.engine.options import SECOND, AutoscalerOptions
from lowtide.model import names
from lowtide.model.decision import DeleteNode
from lowtide.model.kube import Pod, Taint
from lowtide.model.snapshot import Deletion, DeletionResult, Snapshot
from lowtide.twin.kernel import Callback, Priority
from lowtide.twin.ports import AutoscaledWorld, Clock

EVICTION_RETRY_MS = 10 * SECOND
GONE_POLL_MS = 5 * SECOND


@dataclass(slots=True)
class _Drain:
    """Pods of a node that still have to be evicted, and until when that is tried."""

    command: DeleteNode
    waiting: list[str]
    evicted: list[str]
    give_up_ms: int


class Actuator:
    """Node deletions under way."""

    def __init__(self, world: AutoscaledWorld, kernel: Clock, options: AutoscalerOptions) -> None:
        self._world = world
        self._kernel = kernel
        self._options = options
        self._running: dict[str, Deletion] = {}
        self._results: list[DeletionResult] = []
        self.stopped = False

    @property
    def running(self) -> tuple[Deletion, ...]:
        """Deletions that have not ended."""
        return tuple(self._running.values())

    @property
    def has_results(self) -> bool:
        """Whether deletions ended since results were last taken."""
        return bool(self._results)

    def take_results(self) -> tuple[DeletionResult, ...]:
        """Return deletions that ended since the last call."""
        results, self._results = tuple(self._results), []
        return results

    def start(self, command: DeleteNode) -> None:
        """Taint and cordon the node now; go on after the delay that lets the taint be seen."""
        now_ms = self._kernel.now_ms
        self._world.add_taint(
            command.node, Taint(key=names.TAINT_TO_BE_DELETED, value=str(now_ms // SECOND))
        )
        if self._options.cordon_node_before_terminating:
            self._world.cordon(command.node)
        self._running[command.node] = Deletion(
            node=command.node,
            group=command.group,
            drain=bool(command.pods),
            started_ms=now_ms,
        )
        self._later(self._options.node_delete_delay_after_taint_ms, lambda: self._check(command))

    def _later(self, delay_ms: int, action: Callback) -> None:
        # Go's time.Sleep of a negative duration returns at once.
        self._kernel.at(
            self._kernel.now_ms + max(0, delay_ms), action, priority=Priority.AUTOSCALER
        )

    def _check(self, command: DeleteNode) -> None:
        """Look again: the node may be gone, or no longer empty, or blocked."""
        if self.stopped:
            return
        snapshot = self._world.snapshot()
        if all(node.name != command.node for node in snapshot.nodes):
            self._end(command, ok=False, reason="node is gone")
            return
        moving = pods_to_move(
            self._pods_on(command.node, snapshot),
            Budgets(snapshot.budgets),
            self._options,
            now_ms=snapshot.now_ms,
            controllers=snapshot.controllers,
        )
        if moving.blocked or moving.waits_for:
            self._abort(command, moving.blocked or "waits for a pod to complete")
        elif moving.pods and not command.pods:
            self._abort(command, "node is not empty")
        elif moving.pods:
            give_up_ms = self._kernel.now_ms + self._options.max_pod_eviction_time_ms
            self._drain(_Drain(command, [pod.key for pod in moving.pods], [], give_up_ms))
        else:
            self._terminate(command)

    def _pods_on(self, node: str, snapshot: Snapshot) -> list[Pod]:
        cutoff = self._options.expendable_pods_priority_cutoff
        return [
            pod
            for pod in snapshot.pods
            if pod.node_name == node and pod.spec.priority >= cutoff and not pod.is_finished
        ]

    def _drain(self, drain: _Drain) -> None:
        """Evict what is left; a refused eviction is tried again every ten seconds."""
        if self.stopped:
            return
        alive = {pod.key for pod in self._world.snapshot().pods}
        refused = []
        for key in drain.waiting:
            if key not in alive or self._world.evict(key):
                drain.evicted.append(key)
            else:
                refused.append(key)
        drain.waiting = refused
        if not refused:
            self._await_gone(drain)
        elif self._kernel.now_ms >= drain.give_up_ms:
            self._abort(drain.command, f"eviction of {refused[0]} was refused for too long")
        else:
            self._later(EVICTION_RETRY_MS, lambda: self._drain(drain))

    def _await_gone(self, drain: _Drain) -> None:
        if self.stopped:
            return
        here = {
            pod.key for pod in self._world.snapshot().pods if pod.node_name == drain.command.node
        }
        if here.isdisjoint(drain.evicted):
            self._terminate(drain.command)
        else:
            self._later(GONE_POLL_MS, lambda: self._await_gone(drain))

    def _terminate(self, command: DeleteNode) -> None:
        rejected = self._world.terminate_instance(command.group, command.instance_id)
        if rejected is None:
            self._end(command, ok=True)
        else:
            self._abort(command, f"AWS refuses: {rejected.message}", refused=True)

    def _abort(self, command: DeleteNode, reason: str, *, refused: bool = False) -> None:
        self._world.remove_taint(command.node, names.TAINT_TO_BE_DELETED)
        self._world.uncordon(command.node)
        self._world.decide(
            "cluster-autoscaler", "kept a node after all", f"node/{command.node}", reason
        )
        self._end(command, ok=False, reason=reason, refused=refused)

    def _end(
        self, command: DeleteNode, *, ok: bool, reason: str = "", refused: bool = False
    ) -> None:
        self._running.pop(command.node, None)
        self._results.append(
            DeletionResult(
                node=command.node,
                group=command.group,
                ok=ok,
                ended_ms=self._kernel.now_ms,
                reason=reason,
                refused=refused,
                drain=bool(command.pods),
            )
        )
