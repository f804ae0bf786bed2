"""What the autoscaler remembers from one loop to the next, as a frozen value.

A restart of its pod loses all of it, which is visible behaviour: timers start again and cached
templates are gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lowtide.engine.ledger import Ledger
from lowtide.engine.provider import KnownGroup
from lowtide.engine.template import Template
from lowtide.model.asg import InstanceShape
from lowtide.model.kube import Node, Pod
from lowtide.model.workload import DaemonSet


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedTemplate:
    """The template of a real node and when it was last confirmed by one; the rest says what it is made of."""

    template: Template
    added_ms: int
    source: Node
    daemons: tuple[Pod, ...]
    daemon_sets: tuple[DaemonSet, ...]


@dataclass(frozen=True, slots=True)
class CompletedTemplate:
    """A real node's template with what the group's type and tags add, kept while these are the same."""

    base: Template
    tags: Mapping[str, str]
    shape: InstanceShape | None
    template: Template


@dataclass(frozen=True, slots=True)
class TagTemplate:
    """The template made from a group's type and tags, kept while what it is made of is the same."""

    tags: Mapping[str, str]
    shape: InstanceShape | None
    zones: tuple[str, ...]
    daemon_sets: tuple[DaemonSet, ...]
    template: Template | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUpRequest:
    """A scale-up whose nodes are still awaited."""

    increase: int
    time_ms: int
    expected_by_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A group that is not tried again for a while; ``code`` and ``message`` say why, in upstream's words."""

    duration_ms: int
    until_ms: int
    failed_ms: int
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongSize:
    """A group whose registered nodes differ from its target, and since when."""

    current: int
    expected: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class BaseLedger:
    """The ledger of an unchanged snapshot, reused by identity; never part of equality."""

    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    cutoff: int
    ledger: Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerMemory:
    """All of it. Times are milliseconds; None means never.

    ``hints`` and ``moves`` are where pods fitted in the last loop's simulations of scale-up and scale-down.
    ``unneeded`` and ``unremovable_until`` are by node, ``added`` / ``deleted`` / ``failed`` by group (for the group-local
    delays), ``failed_instances`` are placeholders whose failure was already handled.
    ``cleaned`` says that the first loop has taken back what an earlier process left. Fields that do not compare only save work:
    without them the same decision is made again.
    """

    groups: Mapping[str, KnownGroup] = field(default_factory=dict)
    asked_ms: int | None = None
    templates: Mapping[str, CachedTemplate] = field(default_factory=dict)
    completed: Mapping[str, CompletedTemplate] = field(
        default_factory=dict, compare=False, repr=False
    )
    tag_templates: Mapping[str, TagTemplate] = field(
        default_factory=dict, compare=False, repr=False
    )
    unregistered_since: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, ScaleUpRequest] = field(default_factory=dict)
    backoffs: Mapping[str, Backoff] = field(default_factory=dict)
    wrong_sizes: Mapping[str, WrongSize] = field(default_factory=dict)
    failed_instances: frozenset[str] = frozenset()
    unneeded: Mapping[str, int] = field(default_factory=dict)
    unremovable_until: Mapping[str, int] = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)
    deleted: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    scaled_up_ms: int | None = None
    scaled_down_ms: int | None = None
    scale_down_failed_ms: int | None = None
    planned_ms: int | None = None
    shortest_gap_ms: int | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    moves: Mapping[str, str] = field(default_factory=dict)
    cursor: int = 0
    cleaned: bool = False
    base: BaseLedger | None = field(default=None, compare=False, repr=False)
