"""The world: one cluster in one account, put together from its parts.

Why it exists: scenario, autoscaler and tests act on the cluster through this one door, as people and programs act on
AWS and the API server. Every method happens now, on the kernel's clock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, assert_never

from lowtide.cloud.groups import NoCapacityWindow, Rejected
from lowtide.engine.options import AutoscalerOptions, SchedulerProfile
from lowtide.kube.priorities import KEY as PRIORITIES
from lowtide.kube.priorities import parse_priorities
from lowtide.model.kube import Pod, PodDisruptionBudget, Taint
from lowtide.model.names import PRIORITY_EXPANDER_CONFIG_MAP, SYSTEM_NAMESPACE
from lowtide.model.snapshot import Snapshot
from lowtide.model.workload import (
    BarePod,
    Budget,
    ConfigMap,
    DaemonSet,
    Job,
    KubeObject,
    Meta,
    OtherObject,
    PriorityClass,
    Replicated,
)
from lowtide.twin.autoscaler_pod import AutoscalerPods, Loop
from lowtide.twin.budgets import status_of
from lowtide.twin.capacity import Capacity
from lowtide.twin.controllers import Controllers
from lowtide.twin.daemons import Daemons
from lowtide.twin.kernel import Kernel
from lowtide.twin.kubelet import Kubelet
from lowtide.twin.nodelife import NodeLife
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.recorder import Recorder
from lowtide.twin.rules import WorldRules
from lowtide.twin.scheduling import Scheduling
from lowtide.twin.store import EVICTED, Store
from lowtide.twin.waits import Waits

PRIORITY_CONFIG_MAP = Meta(
    kind="ConfigMap", name=PRIORITY_EXPANDER_CONFIG_MAP, namespace=SYSTEM_NAMESPACE
)


class MakeLoop(Protocol):
    """How the autoscaler's loop for a running autoscaler pod is made."""

    def __call__(
        self, world: World, kernel: Kernel, options: AutoscalerOptions, rules: WorldRules
    ) -> Loop:
        """Return a loop that has not started."""


class World:
    """A cluster and its account.

    ``make_loop`` makes the loop of an autoscaler whose pod runs; None means that such pods do nothing.
    """

    def __init__(
        self,
        kernel: Kernel,
        profiles: tuple[GroupProfile, ...],
        rules: WorldRules,
        make_loop: MakeLoop | None = None,
    ) -> None:
        self.kernel = kernel
        self.rules = rules
        self.profiles = {one.name: one for one in profiles}
        self.store = Store(kernel)
        self.recorder = Recorder(self.store, self._workload_of)
        self.capacity = Capacity(self.store, profiles, rules, self.decide)
        self.nodes = NodeLife(self.store, profiles, rules)
        self.kubelet = Kubelet(
            self.store, self.nodes, rules, self.recorder.transferred, self.recorder.warn
        )
        self.controllers = Controllers(self.store, rules, self.kubelet.delete, self.decide)
        self.daemons = Daemons(self.store, rules, self.controllers.admit, self.kubelet.delete)
        self.scheduling = Scheduling(
            self.store,
            SchedulerProfile(seed=rules.seed),
            self.snapshot,
            self._unschedulable,
            self.recorder.warn,
        )
        self.autoscalers = AutoscalerPods(
            self.store, self._loop_maker(make_loop), self.decide, self.recorder.warn
        )
        self.waits = Waits(self.store, self.scheduling, self.autoscalers)
        self.recorder.listen()
        self._priority_view: tuple[KubeObject | None, Mapping[int, tuple[str, ...]] | None] = (
            None,
            None,
        )
        self._budget_objects: tuple[Budget, ...] = ()
        self._budget_view: tuple[int, tuple[PodDisruptionBudget, ...]] = (-1, ())

    def start(self, initial: Iterable[KubeObject] = ()) -> None:
        """Begin: instances and objects that are there from the start, their pods long running."""
        self.capacity.start()
        self.install(initial)

    def install(self, objects: Iterable[KubeObject]) -> None:
        """Apply objects whose pods have long been running when the world starts."""
        self.kubelet.installing = True
        self.apply(objects)
        self.kubelet.installing = False

    def snapshot(self) -> Snapshot:
        """Return what the scheduler and the autoscaler may see now; what did not change is the identical tuple."""
        store = self.store
        return Snapshot(
            now_ms=self.kernel.now_ms,
            nodes=store.node_view,
            pods=store.pod_view,
            groups=self.capacity.view,
            daemon_sets=self.daemons.view,
            budgets=self._budgets(),
            priorities=self._priorities(),
            controllers=self.controllers.controller_scales(),
        )

    def apply(self, objects: Iterable[KubeObject]) -> None:
        """Create or update objects, as ``kubectl apply`` does."""
        for one in objects:
            self.store.objects[one.meta] = one
            self.store.touch()
            match one:
                case Replicated() | Job() | BarePod():
                    self.controllers.apply(one)
                case DaemonSet():
                    self._apply_daemon_set(one)
                case Budget() | PriorityClass():
                    self._policies_changed(one)
                case ConfigMap() | OtherObject():
                    pass
                case _:
                    assert_never(one)

    def delete(self, meta: Meta) -> bool:
        """Delete an object and what it owns; return whether it was there."""
        found = self.store.objects.pop(meta, None)
        if found is None:
            return False
        self.store.touch()
        self.controllers.delete(meta)
        self.daemons.delete(meta)
        self._policies_changed(found)
        return True

    def scale(self, meta: Meta, replicas: int) -> bool:
        """Set the replicas of an object, as ``kubectl scale`` does; return whether it could be scaled."""
        self.store.touch()
        return self.controllers.scale(meta, replicas)

    def set_desired(self, group: str, desired: int) -> Rejected | None:
        """Set a group's desired capacity; returns AWS's refusal outside min and max."""
        self.log(f"group {group} desired -> {desired}")
        return self.capacity.set_desired(group, desired)

    def terminate_instance(self, group: str, instance_id: str) -> Rejected | None:
        """Terminate an instance and lower desired; returns AWS's refusal where there is one."""
        return self.capacity.terminate(group, instance_id)

    def interrupt(self, group: str, index: int = 0) -> str | None:
        """Give a spot notice to the index-th oldest live instance; returns its id, None without one."""
        return self.capacity.interrupt(group, index)

    def shut_capacity(self, group: str, window: NoCapacityWindow) -> None:
        """Let EC2 have no capacity for a group for a while."""
        self.capacity.add_window(group, window)

    def add_taint(self, node: str, taint: Taint) -> None:
        """Put a taint on a node, replacing one of the same key and effect; a node that is gone is ignored."""
        found = self.store.nodes.get(node)
        if found is None:
            return
        kept = tuple(
            one for one in found.taints if (one.key, one.effect) != (taint.key, taint.effect)
        )
        self.log(f"node {node} tainted {taint.key}:{taint.effect}")
        self.store.update_node(dataclasses.replace(found, taints=(*kept, taint)))

    def remove_taint(self, node: str, key: str) -> None:
        """Take all taints of a key from a node; a node that is gone is ignored."""
        found = self.store.nodes.get(node)
        if found is None or all(one.key != key for one in found.taints):
            return
        kept = tuple(one for one in found.taints if one.key != key)
        self.log(f"node {node} untainted {key}")
        self.store.update_node(dataclasses.replace(found, taints=kept))

    def cordon(self, node: str) -> None:
        """Mark a node unschedulable; a node that is gone is ignored."""
        self._set_unschedulable(node, value=True)

    def uncordon(self, node: str) -> None:
        """Mark a node schedulable again; a node that is gone is ignored."""
        self._set_unschedulable(node, value=False)

    def evict(self, pod_key: str) -> bool:
        """Evict a pod through the eviction API; False when a budget forbids it (429), True when it ends or is gone."""
        pod = self.store.pods.get(pod_key)
        if pod is None or pod.deleting_ms is not None:
            return True
        for budget in self._budgets():
            if (
                budget.namespace == pod.namespace
                and budget.selector.matches(pod.spec.labels)
                and budget.disruptions_allowed < 1
            ):
                self.log(f"pod {pod_key} not evicted: budget {budget.name}")
                return False
        self.kubelet.delete(pod_key, EVICTED)
        return True

    def decide(self, actor: str, action: str, subject: str, why: str = "") -> None:
        """Add a line to the decision list that a person reads."""
        self.recorder.decide(actor, action, subject, why)

    def log(self, line: str) -> None:
        """Add a line to the event log."""
        self.recorder.note(line)

    def end_instant(self) -> None:
        """Write down the state of the instant that ends."""
        self.recorder.end_instant(self.capacity, self.nodes)

    def _apply_daemon_set(self, applied: DaemonSet) -> None:
        denied = self.daemons.apply(applied)
        if denied is not None:
            meta = str(applied.meta)
            self.decide("API server", "refuses to create pods", meta, denied.message)

    def _policies_changed(self, changed: KubeObject) -> None:
        """Collect budgets and priority classes again; they are few, other objects may be many."""
        objects = self.store.objects.values()
        if isinstance(changed, Budget):
            self._budget_objects = tuple(one for one in objects if isinstance(one, Budget))
        if isinstance(changed, PriorityClass):
            classes = tuple(one for one in objects if isinstance(one, PriorityClass))
            self.controllers.classes_changed(classes)
            for one in objects:
                if isinstance(one, DaemonSet):
                    self._apply_daemon_set(one)

    def _workload_of(self, pod: Pod) -> str:
        return self.controllers.workload_of(pod)

    def _set_unschedulable(self, node: str, *, value: bool) -> None:
        found = self.store.nodes.get(node)
        if found is not None and found.unschedulable is not value:
            self.store.update_node(dataclasses.replace(found, unschedulable=value))

    def _priorities(self) -> Mapping[int, tuple[str, ...]] | None:
        """Return the priority expander's table; the identical value while the ConfigMap is unchanged."""
        found = self.store.objects.get(PRIORITY_CONFIG_MAP)
        if found is not self._priority_view[0]:
            text = found.data.get(PRIORITIES) if isinstance(found, ConfigMap) else None
            table = parse_priorities(text)
            if text and table is None:
                self.recorder.warn(
                    f"The table of the priority expander in {PRIORITY_CONFIG_MAP} cannot be read: the run counts it as none."
                )
            self._priority_view = (found, table)
        return self._priority_view[1]

    def _loop_maker(self, make_loop: MakeLoop | None) -> Callable[[AutoscalerOptions], Loop] | None:
        if make_loop is None:
            return None
        return lambda options: make_loop(self, self.kernel, options, self.rules)

    def _unschedulable(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self.log(f"pod {key} unschedulable")
        loop = self.autoscalers.loop
        if loop is not None:
            loop.pods_became_unschedulable(len(keys))

    def _budgets(self) -> tuple[PodDisruptionBudget, ...]:
        version, view = self._budget_view
        if version == self.store.version:
            return view
        if not self._budget_objects:
            return ()
        scales = self.controllers.controller_scales()
        pods = self.store.pod_view
        fresh = tuple(status_of(one, pods, scales.get) for one in self._budget_objects)
        if fresh != view:
            view = fresh
        self._budget_view = (self.store.version, view)
        return view
