"""The working state of one autoscaler loop: a mutable copy of the memory and what the loop found out.

Every step of the loop takes it and writes to it; ``autoscaler`` makes it and freezes it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lowtide.engine.ledger import Ledger
from lowtide.engine.memory import (
    AutoscalerMemory,
    Backoff,
    BaseLedger,
    CachedTemplate,
    CompletedTemplate,
    ScaleUpRequest,
    TagTemplate,
    WrongSize,
)
from lowtide.engine.options import AutoscalerOptions
from lowtide.engine.provider import KnownGroup, KnownInstance
from lowtide.engine.shapes import Shapes
from lowtide.engine.template import Template
from lowtide.model import names
from lowtide.model.decision import Command, Event, Refusal
from lowtide.model.kube import Node
from lowtide.model.quantity import NVIDIA_GPU
from lowtide.model.snapshot import Snapshot


@dataclass(slots=True)
class Readiness:
    """Node names of a group by state (clusterstate.Readiness)."""

    ready: list[str] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    not_started: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    unregistered: list[str] = field(default_factory=list)
    long_unregistered: list[str] = field(default_factory=list)


class Work:
    """One loop in progress."""

    def __init__(
        self, snapshot: Snapshot, memory: AutoscalerMemory, options: AutoscalerOptions
    ) -> None:
        self.snapshot = snapshot
        self.options = options
        self.now_ms = snapshot.now_ms
        self.before = memory
        self.groups: dict[str, KnownGroup] = dict(memory.groups)
        self.asked_ms = memory.asked_ms
        self.cached: dict[str, CachedTemplate] = dict(memory.templates)
        self.completed: dict[str, CompletedTemplate] = dict(memory.completed)
        self.tag_templates: dict[str, TagTemplate] = dict(memory.tag_templates)
        self.unregistered_since: dict[str, int] = dict(memory.unregistered_since)
        self.requests: dict[str, ScaleUpRequest] = dict(memory.requests)
        self.backoffs: dict[str, Backoff] = dict(memory.backoffs)
        self.wrong_sizes: dict[str, WrongSize] = dict(memory.wrong_sizes)
        self.failed_instances: frozenset[str] = memory.failed_instances
        self.unneeded: dict[str, int] = dict(memory.unneeded)
        self.unremovable_until: dict[str, int] = dict(memory.unremovable_until)
        self.added: dict[str, int] = dict(memory.added)
        self.deleted: dict[str, int] = dict(memory.deleted)
        self.failed: dict[str, int] = dict(memory.failed)
        self.scaled_up_ms = memory.scaled_up_ms
        self.scaled_down_ms = memory.scaled_down_ms
        self.scale_down_failed_ms = memory.scale_down_failed_ms
        self.planned_ms = memory.planned_ms
        self.shortest_gap_ms = memory.shortest_gap_ms
        self.hints: dict[str, str] = {}
        self.moves: dict[str, str] = {}
        self.cursor = memory.cursor
        self.cleaned = memory.cleaned

        self.templates: dict[str, Template] = {}
        self.readiness: dict[str, Readiness] = {}
        self.total = Readiness()
        self.nodes: list[Node] = list(snapshot.nodes)
        self.group_of: dict[str, str] = {}
        self.ready_nodes: set[str] = set()
        self.ledger, self.base = self._ledger(memory.base)

        self.commands: list[Command] = []
        self.events: list[Event] = []
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.tied: list[tuple[str, ...]] = []
        self.scaled_up = False
        self.tainted = False
        self.scale_down_disabled = False
        self.shapes = Shapes()

    def _ledger(self, base: BaseLedger | None) -> tuple[Ledger, BaseLedger]:
        nodes, pods = self.snapshot.nodes, self.snapshot.pods
        cutoff = self.options.expendable_pods_priority_cutoff
        if base is not None and (
            base.nodes is nodes and base.pods is pods and base.cutoff == cutoff
        ):
            return base.ledger, base
        ledger = Ledger.of(nodes, (pod for pod in pods if pod.spec.priority >= cutoff))
        return ledger, BaseLedger(nodes, pods, cutoff, ledger)

    def freeze(self) -> AutoscalerMemory:
        """Return the memory after this loop."""
        return AutoscalerMemory(
            groups=self.groups,
            asked_ms=self.asked_ms,
            templates=self.cached,
            completed=self.completed,
            tag_templates=self.tag_templates,
            unregistered_since=self.unregistered_since,
            requests=self.requests,
            backoffs=self.backoffs,
            wrong_sizes=self.wrong_sizes,
            failed_instances=self.failed_instances,
            unneeded=self.unneeded,
            unremovable_until=self.unremovable_until,
            added=self.added,
            deleted=self.deleted,
            failed=self.failed,
            scaled_up_ms=self.scaled_up_ms,
            scaled_down_ms=self.scaled_down_ms,
            scale_down_failed_ms=self.scale_down_failed_ms,
            planned_ms=self.planned_ms,
            shortest_gap_ms=self.shortest_gap_ms,
            hints=self.hints,
            moves=self.moves,
            cursor=self.cursor,
            cleaned=self.cleaned,
            base=self.base,
        )

    def event(self, reason: str, subject: str, message: str) -> None:
        """Emit a Kubernetes event."""
        self.events.append(Event(reason=reason, subject=subject, message=message))

    def instances(self) -> Iterable[tuple[KnownGroup, KnownInstance]]:
        """Yield every instance the provider knows, with its group."""
        for group in self.groups.values():
            for instance in group.instances:
                yield group, instance


def has_gpu(node: Node) -> bool:
    """Return whether the autoscaler treats the node as a GPU node (utils/gpu, NodeHasGpu)."""
    return names.ACCELERATOR in node.labels or node.allocatable.get(NVIDIA_GPU, 0) > 0


def lacks_gpu(node: Node) -> bool:
    """Return whether the accelerator label promises a GPU that is not there (yet)."""
    return names.ACCELERATOR in node.labels and not node.allocatable.get(NVIDIA_GPU, 0)


def is_ready(node: Node) -> bool:
    """Return whether a node counts as ready.

    A node with the accelerator label and no GPU yet is held unready
    (processors/customresources/gpu_processor.go); without the label it counts as ready.
    """
    if not node.ready:
        return False
    if lacks_gpu(node):
        return False
    return all(taint.key != names.TAINT_NOT_READY for taint in node.taints)
