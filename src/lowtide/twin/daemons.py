"""DaemonSets: a pod on every node that the template admits.

Why it exists: the device plugin is one, and whether its pod lands on a node decides whether that node has GPUs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from lowtide.engine.template import DAEMON_TOLERATIONS, runs_daemon
from lowtide.model.kube import Node, NodeSelectorTerm, Owner, Phase, Pod, PodSpec, Requirement
from lowtide.model.workload import DaemonSet, Meta
from lowtide.twin.admission import Denied
from lowtide.twin.rules import WorldRules
from lowtide.twin.store import DELETED, EVICTED, LOST, Store

#: Taints of these prefixes are not looked at where daemon pods appear in the instant of registration.
_NODE_CONDITIONS = "node.kubernetes.io/"

_PODS = "pods"


@dataclass(slots=True)
class _Daemon:
    object: DaemonSet
    owner: Owner
    stored: DaemonSet
    """With the template that its pods get: admitted, and with the controller's tolerations."""
    on: dict[str, str] = field(default_factory=dict)
    """Node name to the uid of the pod there."""


class Daemons:
    """The DaemonSet controller."""

    def __init__(
        self,
        store: Store,
        rules: WorldRules,
        admit: Callable[[PodSpec], PodSpec | Denied],
        delete_pod: Callable[[str, str], None],
    ) -> None:
        self._store = store
        self._rules = rules
        self._admit = admit
        self._delete_pod = delete_pod
        self._sets: dict[Meta, _Daemon] = {}
        self._view: tuple[DaemonSet, ...] | None = ()
        self._numbers: dict[Meta, int] = {}
        self._by_pod: dict[str, tuple[_Daemon, str]] = {}
        """DaemonSet and node by the uid of a pod."""
        store.signals.node_added.append(self._on_node)
        store.signals.node_updated.append(self._on_node)
        store.signals.pod_deleting.append(self._on_pod_end)
        store.signals.pod_ended.append(self._on_pod_end)

    @property
    def view(self) -> tuple[DaemonSet, ...]:
        """All DaemonSets, with the templates that their pods get."""
        if self._view is None:
            self._view = tuple(one.stored for one in self._sets.values())
        return self._view

    def apply(self, applied: DaemonSet) -> Denied | None:
        """Create or update a DaemonSet; returns what admission has against its pods."""
        old = self._sets.get(applied.meta)
        if old is not None and old.object == applied:
            return None
        spec = self._admit(applied.template)
        if isinstance(spec, Denied):
            return spec
        self._view = None
        if old is not None:
            self.delete(applied.meta)
        owner = Owner(kind="DaemonSet", name=applied.meta.name, uid=self._store.new_uid())
        template = dataclasses.replace(spec, tolerations=(*spec.tolerations, *DAEMON_TOLERATIONS))
        stored = dataclasses.replace(applied, template=template)
        daemon = _Daemon(object=applied, owner=owner, stored=stored)
        self._sets[applied.meta] = daemon
        for node in list(self._store.nodes.values()):
            self._place(daemon, node)
        return None

    def delete(self, meta: Meta) -> bool:
        """Delete a DaemonSet and its pods; return whether there was one."""
        daemon = self._sets.pop(meta, None)
        if daemon is None:
            return False
        self._view = None
        uids = set(daemon.on.values())
        for pod in list(self._store.pods.values()):
            if pod.uid in uids:
                self._delete_pod(pod.key, DELETED)
        return True

    def _on_node(self, node: Node) -> None:
        for daemon in self._sets.values():
            self._place(daemon, node)

    def _place(self, daemon: _Daemon, node: Node) -> None:
        if node.name in daemon.on:
            return
        instant, spec = self._rules.daemons_instant, daemon.stored.template
        if not runs_daemon(_without_conditions(node) if instant else node, daemon.stored):
            return
        self._numbers[daemon.object.meta] = self._numbers.get(daemon.object.meta, 0) + 1
        fits = instant or self._fits(spec, node)
        pod = Pod(
            name=f"{daemon.object.meta.name}-{self._numbers[daemon.object.meta]:03d}",
            namespace=daemon.object.meta.namespace,
            uid=self._store.new_uid(),
            spec=spec if fits else _pinned(spec, node.name),
            owner=daemon.owner,
            node_name=node.name if fits else None,
            phase=Phase.RUNNING if instant else Phase.PENDING,
            created_ms=self._store.kernel.now_ms,
        )
        daemon.on[node.name] = pod.uid
        self._by_pod[pod.uid] = (daemon, node.name)
        self._store.add_pod(pod)

    def _fits(self, spec: PodSpec, node: Node) -> bool:
        used = self._store.requested_on(node.name)
        if used[_PODS] >= node.allocatable.get(_PODS, 0):
            return False
        return all(
            amount <= node.allocatable.get(name, 0) - used.get(name, 0)
            for name, amount in spec.requests.items()
            if amount
        )

    def _on_pod_end(self, pod: Pod, how: str) -> None:
        daemon, name = self._by_pod.pop(pod.uid, (None, ""))
        if daemon is None or daemon.object.meta not in self._sets:
            return
        if how == EVICTED and self._rules.daemons_instant:
            return
        del daemon.on[name]
        node = self._store.nodes.get(name)
        if node is not None and how != LOST:
            self._place(daemon, node)


def _without_conditions(node: Node) -> Node:
    taints = tuple(one for one in node.taints if not one.key.startswith(_NODE_CONDITIONS))
    return dataclasses.replace(node, taints=taints)


def _pinned(spec: PodSpec, node: str) -> PodSpec:
    """Return the template bound to one node by affinity, as the controller writes it for the scheduler."""
    here = Requirement(key="metadata.name", operator="In", values=(node,))
    terms = spec.affinity.node_required or (NodeSelectorTerm(),)
    return dataclasses.replace(
        spec,
        affinity=dataclasses.replace(
            spec.affinity,
            node_required=tuple(
                dataclasses.replace(term, fields=(*term.fields, here)) for term in terms
            ),
        ),
    )
