"""The objects of the world, their indexes, and who wants to hear of changes.

Why it exists: it is what etcd and the API server are to a cluster. Every part of the twin changes objects here and hears
of changes here, so that parts know the store and not each other.

What it must not know: why anything changes.

The views handed out as tuples are rebuilt only after a change: an autoscaler that looks every ten seconds at an
unchanged world gets the identical tuples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from lowtide.model.asg import Instance
from lowtide.model.kube import Node, Phase, Pod
from lowtide.model.names import SYSTEM_NAMESPACE
from lowtide.model.workload import KubeObject, Meta
from lowtide.twin.kernel import Kernel

#: How a pod ended: it exited by itself, was deleted, was evicted, or its node vanished.
FINISHED = "finished"
DELETED = "deleted"
EVICTED = "evicted"
LOST = "lost"

T = TypeVar("T")

PodHearer = Callable[[Pod], None]
PodEndHearer = Callable[[Pod, str], None]
NodeHearer = Callable[[Node], None]
InstanceHearer = Callable[[str, Instance], None]


@dataclass(slots=True)
class Signals:
    """Who is called, in order of subscription, after something happened.

    ``pod_deleting`` comes when a running pod begins to end, with how; ``pod_ended`` when it is gone. Instances
    come with their group; ``instance_gone`` also says whether spot took it.
    """

    pod_added: list[PodHearer] = field(default_factory=list)
    pod_bound: list[PodHearer] = field(default_factory=list)
    pod_running: list[PodHearer] = field(default_factory=list)
    pod_deleting: list[PodEndHearer] = field(default_factory=list)
    pod_ended: list[PodEndHearer] = field(default_factory=list)
    node_added: list[NodeHearer] = field(default_factory=list)
    node_updated: list[NodeHearer] = field(default_factory=list)
    node_removed: list[NodeHearer] = field(default_factory=list)
    instance_started: list[InstanceHearer] = field(default_factory=list)
    instance_terminating: list[InstanceHearer] = field(default_factory=list)
    instance_gone: list[Callable[[str, Instance, bool], None]] = field(default_factory=list)


@dataclass(slots=True)
class PodCount:
    """The user's pods (all but kube-system) by state; ``gpus_used`` counts the GPUs of running pods."""

    running: int = 0
    pending: int = 0
    finished: int = 0
    gpus_used: int = 0


def is_users(pod: Pod) -> bool:
    """Return whether a pod is the user's and not the system's."""
    return pod.namespace != SYSTEM_NAMESPACE


class Store:
    """Nodes, pods and applied objects, each in order of creation."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.signals = Signals()
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}
        """Pods that have not ended, by ``namespace/name``."""
        self.waiting: dict[str, None] = {}
        """Keys of pods without a node."""
        self.objects: dict[Meta, KubeObject] = {}
        self.count = PodCount()
        self.changed_ms = kernel.now_ms
        """When anything changed last."""
        self.version = 0
        """Grows with every change."""
        self._pods_on: dict[str, dict[str, None]] = {}
        self._node_view: tuple[Node, ...] | None = ()
        self._pod_view: tuple[Pod, ...] | None = ()
        self._uids = 0

    def new_uid(self) -> str:
        """Return a uid that no other object of this run has."""
        self._uids += 1
        return f"uid-{self._uids:06d}"

    def touch(self) -> None:
        """Note that something changed now."""
        self.changed_ms = self.kernel.now_ms
        self.version += 1

    @property
    def node_view(self) -> tuple[Node, ...]:
        """All nodes."""
        if self._node_view is None:
            self._node_view = tuple(self.nodes.values())
        return self._node_view

    @property
    def pod_view(self) -> tuple[Pod, ...]:
        """All pods that have not ended."""
        if self._pod_view is None:
            self._pod_view = tuple(self.pods.values())
        return self._pod_view

    def pods_on(self, node: str) -> list[Pod]:
        """Return the pods bound to a node, oldest binding first."""
        return [self.pods[key] for key in self._pods_on.get(node, ())]

    def requested_on(self, node: str) -> Mapping[str, int]:
        """Return what the pods of a node request, in whole units, and their number as ``pods``."""
        total = {"pods": 0}
        for pod in self.pods_on(node):
            total["pods"] += 1
            for name, amount in pod.spec.requests.items():
                total[name] = total.get(name, 0) + amount
        return total

    def current(self, pod: Pod) -> Pod | None:
        """Return the present value of a pod, None when it has ended (another may have its name)."""
        found = self.pods.get(pod.key)
        return found if found is not None and found.uid == pod.uid else None

    def add_pod(self, pod: Pod) -> None:
        """Add a pod, bound or not, running or not."""
        self.pods[pod.key] = pod
        self._pod_view = None
        self.touch()
        self._tally(pod, 1)
        if pod.node_name is None:
            self.waiting[pod.key] = None
        else:
            self._pods_on.setdefault(pod.node_name, {})[pod.key] = None
        _tell(self.signals.pod_added, pod)
        if pod.node_name is not None:
            _tell(self.signals.pod_bound, pod)
        if pod.phase is Phase.RUNNING:
            _tell(self.signals.pod_running, pod)

    def bind(self, key: str, node: str) -> None:
        """Bind a waiting pod to a node."""
        pod = dataclasses.replace(self.pods[key], node_name=node)
        del self.waiting[key]
        self._pods_on.setdefault(node, {})[key] = None
        self._replace_pod(pod)
        _tell(self.signals.pod_bound, pod)

    def run(self, key: str) -> None:
        """Note that a bound pod's containers run."""
        old = self.pods[key]
        pod = dataclasses.replace(old, phase=Phase.RUNNING)
        self._tally(old, -1)
        self._tally(pod, 1)
        self._replace_pod(pod)
        _tell(self.signals.pod_running, pod)

    def refuse(self, key: str) -> None:
        """Note that the scheduler found no node for a pod for the first time."""
        self._replace_pod(dataclasses.replace(self.pods[key], unschedulable_ms=self.kernel.now_ms))

    def begin_deletion(self, key: str, how: str) -> None:
        """Note that a pod was asked to end."""
        pod = dataclasses.replace(self.pods[key], deleting_ms=self.kernel.now_ms)
        self._replace_pod(pod)
        for hear in self.signals.pod_deleting:
            hear(pod, how)

    def end_pod(self, key: str, how: str) -> None:
        """Remove a pod that finished, was deleted or evicted, or lost its node."""
        pod = self.pods.pop(key)
        self._pod_view = None
        self.waiting.pop(key, None)
        if pod.node_name is not None:
            self._pods_on[pod.node_name].pop(key, None)
        self.touch()
        self._tally(pod, -1)
        self.count.finished += how == FINISHED and is_users(pod)
        for hear in self.signals.pod_ended:
            hear(pod, how)

    def add_node(self, node: Node) -> None:
        """Add a registered node."""
        self.nodes[node.name] = node
        self._node_view = None
        self.touch()
        _tell(self.signals.node_added, node)

    def update_node(self, node: Node) -> None:
        """Replace a node by a changed value of it."""
        self.nodes[node.name] = node
        self._node_view = None
        self.touch()
        _tell(self.signals.node_updated, node)

    def remove_node(self, name: str) -> None:
        """Remove a node; every pod still on it is lost."""
        node = self.nodes.pop(name)
        self._node_view = None
        self.touch()
        lost = list(self._pods_on.get(name, ()))
        _tell(self.signals.node_removed, node)
        for key in lost:
            self.end_pod(key, LOST)
        self._pods_on.pop(name, None)

    def _replace_pod(self, pod: Pod) -> None:
        self.pods[pod.key] = pod
        self._pod_view = None
        self.touch()

    def _tally(self, pod: Pod, sign: int) -> None:
        if not is_users(pod):
            return
        if pod.phase is Phase.RUNNING:
            self.count.running += sign
            self.count.gpus_used += sign * pod.spec.gpus
        else:
            self.count.pending += sign


def _tell(hearers: list[Callable[[T], None]], what: T) -> None:
    for hear in hearers:
        hear(what)
