"""Everything the scheduler and the autoscaler may look at, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lowtide.model.asg import AutoScalingGroup
from lowtide.model.kube import Node, Pod, PodDisruptionBudget
from lowtide.model.workload import DaemonSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A node deletion that the actuator has under way (taint set, not yet terminated or given up)."""

    node: str
    group: str
    drain: bool
    started_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionResult:
    """A node deletion that ended since the last loop; ``refused`` when AWS would not terminate the instance.

    ``drain`` says that pods had to move first.
    """

    node: str
    group: str
    ok: bool
    ended_ms: int
    reason: str = ""
    refused: bool = False
    drain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The world at ``now_ms``.

    ``pods`` holds every pod that has not finished, bound or not. ``groups`` is what AWS would answer now; the
    autoscaler reads it through its own cache. ``priorities`` is the priority expander's table (priority
    to patterns of group names), None without a usable one. ``controllers`` maps the uid of each
    controller that exists to its replicas; None skips rules that ask for it.
    """

    now_ms: int
    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    groups: tuple[AutoScalingGroup, ...] = ()
    daemon_sets: tuple[DaemonSet, ...] = ()
    budgets: tuple[PodDisruptionBudget, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    deletion_results: tuple[DeletionResult, ...] = ()
    priorities: Mapping[int, tuple[str, ...]] | None = None
    controllers: Mapping[str, int] | None = None
