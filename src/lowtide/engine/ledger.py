"""The compact mutable view of nodes and pods that decisions are worked out on.

A ``Snapshot`` is the border view; a ``Ledger`` is made from it, changed by what-if placements, and rolled
back with ``undo``. Only this module changes it, so every change is in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lowtide.model.kube import Node, Pod
from lowtide.model.quantity import PODS, Resources


class NodeState:
    """One node with the pods on it; ``free`` is allocatable minus requests, in whole units."""

    __slots__ = ("free", "index", "node", "pods", "ports")

    def __init__(self, node: Node, index: int, allocatable: Resources) -> None:
        self.node = node
        self.index = index
        self.free: dict[str, int] = dict(allocatable)
        self.free.setdefault(PODS, 0)
        self.pods: dict[str, Pod] = {}
        self.ports: set[tuple[str, int]] = set()


class Ledger:
    """Nodes and the pods on them, with a journal of changes."""

    __slots__ = ("_anti", "_journal", "_next_index", "nodes")

    def __init__(self) -> None:
        self.nodes: dict[str, NodeState] = {}
        self._journal: list[tuple[Any, ...]] = []
        self._anti: dict[str, tuple[Pod, str]] = {}
        self._next_index = 0

    @classmethod
    def of(cls, nodes: Iterable[Node], pods: Iterable[Pod]) -> Ledger:
        """Return a ledger of these nodes and of the pods bound to them."""
        ledger = cls()
        for node in nodes:
            ledger.add_node(node)
        for pod in pods:
            if pod.node_name is not None and pod.node_name in ledger.nodes and not pod.is_finished:
                ledger.place(pod, pod.node_name)
        ledger._journal.clear()
        return ledger

    def __iter__(self) -> Iterator[NodeState]:
        return iter(self.nodes.values())

    def mark(self) -> int:
        """Return a point to which ``undo`` can go back."""
        return len(self._journal)

    def undo(self, mark: int) -> None:
        """Take back every change since the mark."""
        while len(self._journal) > mark:
            action, *args = self._journal.pop()
            action(*args)

    def add_node(
        self, node: Node, pods: Iterable[Pod] = (), allocatable: Resources | None = None
    ) -> None:
        """Add a node, with pods of its own; ``allocatable`` overrides the node's for fitting."""
        state = NodeState(
            node, self._next_index, node.allocatable if allocatable is None else allocatable
        )
        self._next_index += 1
        self.nodes[node.name] = state
        self._journal.append((self._drop_node, node.name))
        for pod in pods:
            self.place(pod, node.name)

    def remove_node(self, name: str) -> None:
        """Remove a node and what is on it."""
        state = self.nodes[name]
        for key in list(state.pods):
            self.lift(key, name)
        order = list(self.nodes)
        del self.nodes[name]
        self._journal.append((self._restore_node, state, order))

    def place(self, pod: Pod, name: str) -> None:
        """Put a pod on a node, whether it fits or not."""
        self._place(pod, name)
        self._journal.append((self._lift, pod.key, name))

    def lift(self, key: str, name: str) -> Pod:
        """Take a pod off its node."""
        order = list(self.nodes[name].pods)
        pod = self._lift(key, name)
        self._journal.append((self._put_back, pod, name, order))
        return pod

    @property
    def anti_affine(self) -> Mapping[str, tuple[Pod, str]]:
        """Placed pods with required anti-affinity, which may forbid nodes to others: key -> (pod, node)."""
        return self._anti

    def placed(self) -> Iterator[tuple[Pod, Node]]:
        """Yield every placed pod with its node."""
        for state in self.nodes.values():
            for pod in state.pods.values():
                yield pod, state.node

    def _place(self, pod: Pod, name: str) -> None:
        state = self.nodes[name]
        free = state.free
        for resource, amount in pod.spec.requests.items():
            free[resource] = free.get(resource, 0) - amount
        free[PODS] -= 1
        state.pods[pod.key] = pod
        if pod.spec.host_ports:
            state.ports.update(pod.spec.host_ports)
        if pod.spec.affinity.anti_required:
            self._anti[pod.key] = (pod, name)

    def _lift(self, key: str, name: str) -> Pod:
        state = self.nodes[name]
        pod = state.pods.pop(key)
        free = state.free
        for resource, amount in pod.spec.requests.items():
            free[resource] += amount
        free[PODS] += 1
        if pod.spec.host_ports:
            state.ports.clear()
            for other in state.pods.values():
                state.ports.update(other.spec.host_ports)
        self._anti.pop(key, None)
        return pod

    def _put_back(self, pod: Pod, name: str, order: list[str]) -> None:
        """Undo a lift; the order of pods on a node decides which one is looked at first."""
        self._place(pod, name)
        pods = self.nodes[name].pods
        self.nodes[name].pods = {key: pods[key] for key in order}

    def _drop_node(self, name: str) -> None:
        del self.nodes[name]

    def _restore_node(self, state: NodeState, order: list[str]) -> None:
        self.nodes[state.node.name] = state
        self.nodes = {name: self.nodes[name] for name in order}
