"""How many new nodes of a group would the pods need: first-fit decreasing (estimator at 1.36.1)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from lowtide.engine.equivalence import PodGroup
from lowtide.engine.filters import SPREAD_BROKEN, first_fit, fits, refuse
from lowtide.engine.ledger import Ledger, NodeState
from lowtide.engine.shapes import Shapes, is_monotone
from lowtide.engine.template import Template
from lowtide.model import names
from lowtide.model.kube import Node, Pod
from lowtide.model.quantity import CPU, MEMORY


def estimate(
    groups: Sequence[PodGroup], template: Template, ledger: Ledger, *, limit: int
) -> tuple[int, list[Pod]]:
    """Return the nodes needed and the pods they take; the ledger is left as it was.

    ``limit`` caps new nodes: 0 is no limit, negative allows none. Pods are ordered by their share of the template's CPU
    plus memory, GPUs are ignored in the order as upstream does.
    """
    mark = ledger.mark()
    try:
        packing = _Packing(template, ledger, limit)
        for group in sorted(groups, key=lambda one: -_share(one.exemplar, template.node)):
            packing.add(group.pods)
        return len(packing.used), packing.scheduled
    finally:
        ledger.undo(mark)


def add_copy(template: Template, name: str, ledger: Ledger) -> NodeState:
    """Add a node made from a template to the ledger, daemon pods included."""
    node = replace(template.node, name=name, labels={**template.node.labels, names.HOSTNAME: name})
    daemons = [replace(pod, name=f"{pod.name}@{name}", node_name=name) for pod in template.daemons]
    ledger.add_node(node, daemons, template.allocatable)
    return ledger.nodes[name]


class _Packing:
    """New nodes of one group, being filled."""

    def __init__(self, template: Template, ledger: Ledger, limit: int) -> None:
        self.template = template
        self.ledger = ledger
        self.limit = limit
        self.states: list[NodeState] = []
        self.used: set[str] = set()
        self.scheduled: list[Pod] = []
        self.cursor = 0
        self.open = True
        self.shapes = Shapes()
        self.full_for: set[Hashable] = set()

    def add(self, pods: Sequence[Pod]) -> None:
        """Pack the pods of one equivalence group."""
        shape = self.shapes.of(pods[0], self.ledger)
        if shape in self.full_for:
            return
        rest = self._on_existing(pods)
        if self.open:
            self._on_new(rest)
        elif rest and is_monotone(pods[0].spec):
            # No node is added any more and those there only become fuller.
            self.full_for.add(shape)

    def _on_existing(self, pods: Sequence[Pod]) -> Sequence[Pod]:
        for index, pod in enumerate(pods):
            found = first_fit(pod, self.states, self.cursor, self.ledger)
            if found is None:
                return pods[index:]
            self.cursor = found + 1
            self._take(pod, self.states[found])
        return ()

    def _on_new(self, pods: Sequence[Pod]) -> None:
        for pod in pods:
            if self._on_last(pod):
                continue
            if self.states and self.states[-1].node.name not in self.used:
                return  # the fresh node is still empty: another one would not help either
            if not self._may_add():
                self.open = False
                return
            name = f"{self.template.node.name}-e-{len(self.states)}"
            self.states.append(add_copy(self.template, name, self.ledger))
            if not fits(pod, self.states[-1], self.ledger):
                return
            self._take(pod, self.states[-1])

    def _on_last(self, pod: Pod) -> bool:
        if not self.states:
            return False
        last = self.states[-1]
        reasons = refuse(pod, last, self.ledger)
        if not reasons:
            self._take(pod, last)
            return True
        by_host = any(one.topology_key == names.HOSTNAME for one in pod.spec.spread)
        if by_host and SPREAD_BROKEN in reasons:
            # Only here does upstream look at other nodes, existing ones included.
            others = [state for state in self.ledger if state is not last]
            found = first_fit(pod, others, 0, self.ledger)
            if found is not None:
                self._take(pod, others[found])
                return True
        return False

    def _may_add(self) -> bool:
        return not (self.limit < 0 or (self.limit > 0 and len(self.states) >= self.limit))

    def _take(self, pod: Pod, state: NodeState) -> None:
        self.ledger.place(pod, state.node.name)
        self.used.add(state.node.name)
        self.scheduled.append(pod)


def _share(pod: Pod, node: Node) -> float:
    share = 0.0
    for name in (CPU, MEMORY):
        total = node.allocatable.get(name, 0)
        if total > 0:
            share += pod.spec.requests.get(name, 0) / total
    return share
