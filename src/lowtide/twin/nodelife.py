"""From an instance to a node with GPUs, and its end.

Why it exists: an instance is no capacity yet. Kubelet registers it, it becomes Ready, and only once a device plugin's
pod really runs on it does it offer ``nvidia.com/gpu``; each of these steps is where people wait and pay.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from lowtide.kube.flags import is_device_plugin
from lowtide.model import names
from lowtide.model.asg import Instance
from lowtide.model.kube import Node, Pod, Taint
from lowtide.model.quantity import NVIDIA_GPU, Resources
from lowtide.twin.kernel import whole_ms
from lowtide.twin.profiles import GroupProfile, NodeProfile, node_labels
from lowtide.twin.rules import WorldRules
from lowtide.twin.store import Store

NOT_READY = Taint(key=names.TAINT_NOT_READY, effect="NoSchedule")


@dataclass(slots=True, kw_only=True)
class Machine:
    """An instance with the node it becomes. Times are None until they have come."""

    group: GroupProfile
    instance: Instance
    name: str
    interrupted: bool = False
    terminating_ms: int | None = None
    registered: bool = False
    serving: bool = False
    """Whether its node is Ready and offers its GPUs."""
    ready_ms: int | None = None
    gpu_ms: int | None = None
    ended_ms: int | None = None
    plugins: dict[str, None] = field(default_factory=dict)
    """Keys of the device plugin's pods that run on it."""

    @property
    def node(self) -> NodeProfile:
        """What the instance becomes as a node."""
        return self.group.nodes[self.instance.instance_type]


class NodeLife:
    """Registers nodes, makes them Ready, lets GPUs appear and vanish, and removes nodes."""

    def __init__(self, store: Store, profiles: tuple[GroupProfile, ...], rules: WorldRules) -> None:
        self._store = store
        self._kernel = store.kernel
        self._rules = rules
        self._profiles = {one.name: one for one in profiles}
        self._numbers = dict.fromkeys(self._profiles, 0)
        self._plugin_ms = whole_ms(rules.timings.plugin_register_s)
        self.machines: dict[str, Machine] = {}
        """Every instance that ever was, by id."""
        self.by_node: dict[str, Machine] = {}
        self.serving = dict.fromkeys(self._profiles, 0)
        """Nodes by group that are Ready and offer their GPUs."""
        signals = store.signals
        signals.instance_started.append(self._on_started)
        signals.instance_terminating.append(self._on_terminating)
        signals.instance_gone.append(self._on_gone)
        signals.pod_running.append(self._on_running)
        signals.pod_deleting.append(self._on_ending)
        signals.pod_ended.append(self._on_ending)

    def _on_started(self, group: str, instance: Instance) -> None:
        self._numbers[group] += 1
        name = f"{group}-{self._numbers[group]:03d}"
        machine = Machine(group=self._profiles[group], instance=instance, name=name)
        self.machines[instance.id] = machine
        if instance.launched_ms < self._rules.start_ms:
            self._exist(machine)
        else:
            self._kernel.after(machine.group.register_ms, lambda: self._register(machine))

    def _exist(self, machine: Machine) -> None:
        """Let a node be there from the start, as old as its instance."""
        machine.ready_ms = machine.instance.launched_ms
        if machine.node.gpus and not self._needs_plugin(machine):
            machine.gpu_ms = machine.ready_ms
        self._add(machine, ready=True, created_ms=machine.instance.launched_ms)
        self._recount(machine)

    def _register(self, machine: Machine) -> None:
        if machine.terminating_ms is not None or machine.ended_ms is not None:
            return
        self._add(machine, ready=False, created_ms=self._kernel.now_ms)
        self._kernel.after(machine.group.ready_ms, lambda: self._become_ready(machine))

    def _add(self, machine: Machine, *, ready: bool, created_ms: int) -> None:
        machine.registered = True
        self.by_node[machine.name] = machine
        group, instance = machine.group, machine.instance
        self._store.add_node(
            Node(
                name=machine.name,
                labels=node_labels(group, machine.name, instance.zone, instance.instance_type),
                taints=group.taints if ready else (*group.taints, NOT_READY),
                capacity=_offered(machine.node.capacity, machine),
                allocatable=_offered(machine.node.allocatable, machine),
                ready=ready,
                ready_since_ms=created_ms,
                created_ms=created_ms,
                instance_id=instance.id,
            )
        )

    def _become_ready(self, machine: Machine) -> None:
        node = self._store.nodes.get(machine.name)
        if node is None:
            return
        now_ms = machine.ready_ms = self._kernel.now_ms
        needs_plugin = self._needs_plugin(machine)
        gpus_at_once = not needs_plugin and machine.node.gpus and not machine.group.gpu_ms
        if gpus_at_once:
            machine.gpu_ms = now_ms
        self._store.update_node(
            dataclasses.replace(
                node,
                ready=True,
                ready_since_ms=now_ms,
                taints=tuple(one for one in node.taints if one.key != names.TAINT_NOT_READY),
                capacity=_offered(machine.node.capacity, machine),
                allocatable=_offered(machine.node.allocatable, machine),
            )
        )
        self._recount(machine)
        if machine.node.gpus and not gpus_at_once and not needs_plugin:
            self._kernel.after(machine.group.gpu_ms, lambda: self._offer_gpus(machine))

    def _offer_gpus(self, machine: Machine) -> None:
        node = self._store.nodes.get(machine.name)
        if node is None or not machine.node.gpus:
            return
        if self._needs_plugin(machine) and not (machine.plugins and node.ready):
            return
        if machine.gpu_ms is None:
            machine.gpu_ms = self._kernel.now_ms
        if node.allocatable.get(NVIDIA_GPU) == machine.node.gpus:
            return
        self._store.update_node(
            dataclasses.replace(
                node,
                capacity=machine.node.capacity,
                allocatable=machine.node.allocatable,
            )
        )
        self._recount(machine)

    def _needs_plugin(self, machine: Machine) -> bool:
        """Whether its GPUs wait for a pod of the device plugin."""
        return self._rules.gpu_needs_plugin and not machine.group.own_plugin

    def _on_running(self, pod: Pod) -> None:
        machine = self.by_node.get(pod.node_name or "")
        if machine is None or not is_device_plugin(pod.spec) or not self._needs_plugin(machine):
            return
        machine.plugins[pod.key] = None
        # At the very start the cluster has long settled: what `lowtide up` installed runs and has registered.
        settled = self._kernel.now_ms == self._rules.start_ms and machine.ready_ms is not None
        if settled:
            self._offer_gpus(machine)
        else:
            self._kernel.after(self._plugin_ms, lambda: self._offer_gpus(machine))

    def _on_ending(self, pod: Pod, _how: str) -> None:
        machine = self.by_node.get(pod.node_name or "")
        if machine is None or pod.key not in machine.plugins:
            return
        del machine.plugins[pod.key]
        node = self._store.nodes.get(machine.name)
        if node is None or machine.plugins or not node.allocatable.get(NVIDIA_GPU):
            return
        # Kubelet keeps the capacity and sets allocatable to 0 when the plugin's endpoint stops
        # (pkg/kubelet/cm/devicemanager/manager.go, GetCapacity).
        self._store.update_node(
            dataclasses.replace(node, allocatable={**node.allocatable, NVIDIA_GPU: 0})
        )
        self._recount(machine)

    def _on_terminating(self, _group: str, instance: Instance) -> None:
        self.machines[instance.id].terminating_ms = self._kernel.now_ms

    def _on_gone(self, _group: str, instance: Instance, interrupted: bool) -> None:  # noqa: FBT001
        machine = self.machines[instance.id]
        machine.ended_ms = self._kernel.now_ms
        machine.interrupted = interrupted
        if machine.name in self._store.nodes:
            self._store.remove_node(machine.name)
        self._recount(machine)

    def _recount(self, machine: Machine) -> None:
        node = self._store.nodes.get(machine.name)
        serves = node is not None and _serves(node, machine)
        self.serving[machine.group.name] += serves - machine.serving
        machine.serving = serves


def _serves(node: Node, machine: Machine) -> bool:
    return node.ready and node.allocatable.get(NVIDIA_GPU, 0) >= machine.node.gpus


def _offered(resources: Resources, machine: Machine) -> Resources:
    """Leave the GPUs out while the node does not offer them."""
    if machine.gpu_ms is not None or NVIDIA_GPU not in resources:
        return resources
    return {name: amount for name, amount in resources.items() if name != NVIDIA_GPU}
