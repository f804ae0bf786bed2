"""Who used the cluster: pods counted, waits, nodes counted, GPU-hours held, missed and paid for.

Why it exists: each of these words has one definition, given here.

What it must not know: prices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lowtide.explain import billing
from lowtide.explain.rates import span_of
from lowtide.explain.sweep import Span, timeline_of
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.run import PodUsage, RefusedPods, RunRecord
from lowtide.model.simulation import GpuHours, NodeCounts, PodCounts, Waits


def held_ms(pod: PodUsage, until_ms: int) -> int:
    """Return how long a pod held its GPUs: from binding to its end, because nobody else can use them.

    ``until_ms`` is when EC2 stops charging for its node, or the end of the run: nothing is held after it.
    """
    if pod.bound_ms is None:
        return 0
    return max(0, _end_ms(pod, until_ms) - pod.bound_ms)


def metered_until_ms_by_node(record: RunRecord) -> dict[str, int]:
    """Return when EC2 stops charging for each node within the run."""
    end_ms = record.duration_ms
    return {
        one.node: end_ms if one.metered_until_ms is None else min(one.metered_until_ms, end_ms)
        for one in record.instances
        if one.node
    }


def unmet_ms(pod: PodUsage, duration_ms: int) -> int:
    """Return how long a pod that never ran asked in vain: from creation until it was bound or ended.

    A pod that ran later was served; its waiting is in the waits. No moment is both held and unmet.
    """
    if pod.running_ms is not None:
        return 0
    until_ms = _end_ms(pod, duration_ms) if pod.bound_ms is None else pod.bound_ms
    return until_ms - pod.created_ms


def gpu_hours(record: RunRecord) -> GpuHours:
    """Return the GPU-hours held, unmet and billed; utilization is held / billed, 0 when none was billed.

    Billed counts every metered GPU-hour, those that EC2 waives after an early interruption included.
    """
    duration_ms = record.duration_ms
    metered = metered_until_ms_by_node(record)
    held = sum(pod.gpus * held_ms(pod, metered.get(pod.node, duration_ms)) for pod in record.pods)
    unmet = sum(pod.gpus * unmet_ms(pod, duration_ms) for pod in record.pods)
    billed_s = sum(one.gpus * billing.paid_seconds(one, duration_ms) for one in record.instances)
    return GpuHours(
        requested=held / billing.MS_PER_HOUR,
        unmet=unmet / billing.MS_PER_HOUR,
        billed=billed_s / 3600,
        utilization=held / (billed_s * 1000) if billed_s else 0.0,
    )


def waits(pods: Sequence[PodUsage]) -> Waits:
    """Return the seconds from creation to running over the pods that ran, all 0 when none did.

    Percentiles are nearest-rank: the wait of a real pod that p % of the pods did not exceed. A pod that
    was lost later counts, and so does the one that replaced it: both waited.
    """
    seconds = sorted(
        (pod.running_ms - pod.created_ms) / 1000 for pod in pods if pod.running_ms is not None
    )
    if not seconds:
        return Waits(mean=0.0, p50=0.0, p95=0.0, p99=0.0, max=0.0)
    return Waits(
        mean=sum(seconds) / len(seconds),
        p50=_nearest_rank(seconds, 50),
        p95=_nearest_rank(seconds, 95),
        p99=_nearest_rank(seconds, 99),
        max=seconds[-1],
    )


def pod_counts(pods: Sequence[PodUsage], refused: tuple[RefusedPods, ...]) -> PodCounts:
    """Return the user's pods by how they stand at the end.

    Pods that were lost are left out: their controller made another, which is counted. Each other
    pod counts once: total = finished + stopped + running + pending + cancelled.
    """
    by_outcome = Counter(pod.outcome for pod in pods if pod.outcome != "lost")
    return PodCounts(
        total=by_outcome.total(),
        finished=by_outcome["finished"],
        stopped=by_outcome["stopped"],
        running=by_outcome["running"],
        pending=by_outcome["pending"],
        refused=refused,
        cancelled=by_outcome["cancelled"],
    )


def node_counts(record: RunRecord, cluster: ResolvedCluster) -> NodeCounts:
    """Return how many instances of GPU groups and of the others existed.

    Raises:
        KeyError: an instance belongs to no group of the cluster.
    """
    is_gpu = {group.name: group.is_gpu for group in cluster.node_groups}
    spans: dict[bool, list[Span]] = {True: [], False: []}
    for instance in record.instances:
        spans[is_gpu[instance.group]].append(span_of(instance, record.duration_ms))
    gpu = timeline_of(spans[True])
    return NodeCounts(
        gpu_peak=gpu.peak().alive,
        gpu_final=gpu.at(record.duration_ms).alive,
        gpu_launched=len(spans[True]),
        general_peak=timeline_of(spans[False]).peak().alive,
    )


def _end_ms(pod: PodUsage, duration_ms: int) -> int:
    return duration_ms if pod.ended_ms is None else min(pod.ended_ms, duration_ms)


def _nearest_rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[-(-percent * len(ordered) // 100) - 1]
