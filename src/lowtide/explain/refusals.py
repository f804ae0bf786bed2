"""The pods that never ran, grouped by the cause that has to go first.

Why it exists: a run records the last reasons of every node and group; a person needs to know which
of them to act on.

What it must not know: how the reasons were found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from lowtide.explain.causes import NO_AUTOSCALER, Surroundings, cause_sentence
from lowtide.model.cluster import Candidate, NodeGroup, ResolvedCluster
from lowtide.model.quantity import CPU, MEMORY, NVIDIA_GPU, Resources, largest
from lowtide.model.run import InstanceUsage, PodUsage, RefusedPods, RunRecord

PLUGIN_GRACE_MS: Final = 5 * 60_000
"""A node that was Ready this long without GPUs is no node that is still starting: with its image to pull, the
device plugin takes 4 to 6 minutes from launch (autoscaler#3464, k8s-device-plugin#291)."""


def refusals_of(record: RunRecord, cluster: ResolvedCluster) -> tuple[RefusedPods, ...]:
    """Return the run's refused pods, one entry for each cause.

    Pods that share a cause share an entry, with every reason that any of them was given. Of a cause that the run
    gave, the fact that no autoscaler was running is believed; the rest is found anew from reasons and file.
    """
    pods = {f"{pod.namespace}/{pod.name}": pod for pod in record.pods}
    by_cause: dict[str, RefusedPods] = {}
    for one in record.refused:
        around = _surroundings([pods[key] for key in one.pods if key in pods], record, cluster)
        said = {"cluster": (one.cause,)} if NO_AUTOSCALER in one.cause else {}
        cause = cause_sentence({**said, **one.reasons}, around=around)
        known = by_cause.get(cause)
        by_cause[cause] = _merged(known, one) if known else replace(one, cause=cause)
    return tuple(by_cause.values())


def _merged(first: RefusedPods, second: RefusedPods) -> RefusedPods:
    reasons = dict(first.reasons)
    for subject, words in second.reasons.items():
        reasons[subject] = tuple(dict.fromkeys((*reasons.get(subject, ()), *words)))
    return replace(first, pods=first.pods + second.pods, reasons=reasons)


def _surroundings(
    pods: Sequence[PodUsage], record: RunRecord, cluster: ResolvedCluster
) -> Surroundings:
    asked = _least_asked(pods)
    wants_gpus = bool(asked.get(NVIDIA_GPU))
    groups = [one for one in cluster.node_groups if one.is_gpu or not wants_gpus]
    return Surroundings(
        groups=tuple(group.name for group in groups),
        silent_groups=_silent_groups(groups, record) if wants_gpus else (),
        asked=asked,
        offered=_most_offered(groups, wants_gpus=wants_gpus),
    )


def _least_asked(pods: Sequence[PodUsage]) -> Resources:
    """Return what each of the pods asks for at least: too much of that is too much for all of them."""
    if not pods:
        return {}
    return {
        NVIDIA_GPU: min(pod.gpus for pod in pods),
        CPU: min(pod.cpu_milli for pod in pods),
        MEMORY: min(pod.memory_bytes for pod in pods),
    }


def _most_offered(groups: Iterable[NodeGroup], *, wants_gpus: bool) -> Resources:
    candidates: list[Candidate] = [
        one
        for group in groups
        for one in group.candidates
        if one.capacity.get(NVIDIA_GPU, 0) or not wants_gpus
    ]
    return largest(one.allocatable for one in candidates)


def _silent_groups(groups: Iterable[NodeGroup], record: RunRecord) -> tuple[str, ...]:
    """Return the groups whose nodes had time enough to offer their GPUs and none of which did."""
    spoke = {one.group for one in record.instances if one.gpu_ready_ms is not None}
    waited = {
        one.group
        for one in record.instances
        if one.gpus and _ready_ms(one, record.duration_ms) >= PLUGIN_GRACE_MS
    }
    return tuple(one.name for one in groups if one.name in waited - spoke)


def _ready_ms(instance: InstanceUsage, duration_ms: int) -> int:
    if instance.node_ready_ms is None:
        return 0
    return (
        duration_ms if instance.ended_ms is None else instance.ended_ms
    ) - instance.node_ready_ms
