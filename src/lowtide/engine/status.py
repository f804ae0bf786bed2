"""What the autoscaler says of itself: health, counts and activity of the cluster and of each group.

Why it exists: people and tools read the ConfigMap ``cluster-autoscaler-status``, and so does an explanation of a pending pod. The values are
those of clusterstate.GetStatus at 1.36.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.engine import clusterstate
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.options import AutoscalerOptions
from lowtide.engine.work import Readiness, Work, lacks_gpu
from lowtide.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCounts:
    """Nodes by readiness; ``being_deleted`` are those whose instance is gone already.

    ``resource_unready`` are those of the unready ones whose GPU never appeared.
    """

    registered: int = 0
    ready: int = 0
    not_started: int = 0
    unready: int = 0
    resource_unready: int = 0
    being_deleted: int = 0
    unregistered: int = 0
    long_unregistered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatus:
    """One node group. ``scale_up`` is InProgress, Unhealthy, Backoff or NoActivity; ``candidates`` may be scaled down.

    ``backoff_code`` and ``backoff_message`` say why it is backed off, empty while it is not.
    """

    name: str
    healthy: bool
    target: int
    min_size: int
    max_size: int
    counts: NodeCounts
    scale_up: str
    candidates: int
    backoff_code: str = ""
    backoff_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerStatus:
    """The whole cluster, and each group in the provider's order."""

    healthy: bool
    counts: NodeCounts
    groups: tuple[GroupStatus, ...]


def status(
    snapshot: Snapshot, memory: AutoscalerMemory, options: AutoscalerOptions
) -> AutoscalerStatus:
    """Return what an autoscaler with that memory says of that world."""
    work = Work(snapshot, memory, options)
    clusterstate.observe(work)
    groups = tuple(_group(work, name) for name in work.groups)
    return AutoscalerStatus(
        healthy=clusterstate.is_healthy(work), counts=_counts(work, work.total), groups=groups
    )


def _group(work: Work, name: str) -> GroupStatus:
    group = work.groups[name]
    healthy = clusterstate.is_group_healthy(work, name)
    scale_up = "NoActivity"
    if name in work.requests and clusterstate.upcoming(work, name) > 0:
        scale_up = "InProgress"
    elif not healthy:
        scale_up = "Unhealthy"
    elif clusterstate.is_backed_off(work, name):
        scale_up = "Backoff"
    backoff = work.backoffs.get(name) if clusterstate.is_backed_off(work, name) else None
    return GroupStatus(
        name=name,
        backoff_code=backoff.code if backoff else "",
        backoff_message=backoff.message if backoff else "",
        healthy=healthy,
        target=group.target,
        min_size=group.min_size,
        max_size=group.max_size,
        counts=_counts(work, work.readiness.get(name, Readiness())),
        scale_up=scale_up,
        candidates=sum(1 for node in work.unneeded if work.group_of.get(node) == name),
    )


def _counts(work: Work, readiness: Readiness) -> NodeCounts:
    # The kubelet says Ready, and the autoscaler does not believe it (processors/customresources/gpu_processor.go).
    lacking = {node.name for node in work.snapshot.nodes if node.ready and lacks_gpu(node)}
    return NodeCounts(
        registered=len(readiness.registered),
        ready=len(readiness.ready),
        not_started=len(readiness.not_started),
        unready=len(readiness.unready),
        resource_unready=len(lacking.intersection(readiness.unready)),
        being_deleted=len(readiness.deleted),
        unregistered=len(readiness.unregistered),
        long_unregistered=len(readiness.long_unregistered),
    )
