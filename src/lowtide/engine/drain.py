"""May a pod be moved off its node: the autoscaler's blocking rules, in upstream's order.

simulator/drainability/rules at 1.36.1: the first definitive answer wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lowtide.engine.options import AutoscalerOptions
from lowtide.model import names
from lowtide.model.kube import LocalVolume, Pod, PodDisruptionBudget

LONG_TERMINATING_EXTRA_MS = 30_000
MIRROR = "kubernetes.io/config.mirror"
REPLICATED_KINDS = frozenset({"ReplicationController", "Job", "ReplicaSet", "StatefulSet"})


class Budgets:
    """How many disruptions each PodDisruptionBudget still allows, as removals are planned."""

    def __init__(self, budgets: Iterable[PodDisruptionBudget]) -> None:
        self._left: list[tuple[PodDisruptionBudget, int]] = [
            (one, one.disruptions_allowed) for one in budgets
        ]

    def matching(self, pod: Pod) -> list[int]:
        """Return what is left of each budget that covers the pod."""
        return [left for one, left in self._left if _covers(one, pod)]

    def allow_at_once(self, pods: Iterable[Pod]) -> bool:
        """Return whether all these pods may be evicted at the same time."""
        many = list(pods)
        return all(sum(1 for pod in many if _covers(one, pod)) <= left for one, left in self._left)

    def take(self, pods: Iterable[Pod]) -> None:
        """Count the pods as disrupted."""
        many = list(pods)
        self._left = [
            (one, left - sum(1 for pod in many if _covers(one, pod))) for one, left in self._left
        ]


@dataclass(slots=True)
class PodsToMove:
    """What removing a node means for its pods; ``blocked`` says why it cannot be, empty when it can."""

    pods: list[Pod] = field(default_factory=list)
    waits_for: list[Pod] = field(default_factory=list)
    blocked: str = ""


def pods_to_move(
    pods: Iterable[Pod],
    budgets: Budgets,
    options: AutoscalerOptions,
    *,
    now_ms: int,
    controllers: Mapping[str, int] | None,
) -> PodsToMove:
    """Return which pods must find another node, or the first pod that forbids it."""
    result = PodsToMove()
    for pod in pods:
        verdict = _verdict(pod, budgets, options, now_ms, controllers)
        if verdict == _MOVE:
            result.pods.append(pod)
        elif verdict == _WAIT:
            result.waits_for.append(pod)
        elif verdict != _SKIP:
            result.blocked = verdict
            return result
    return result


_MOVE, _SKIP, _WAIT = "move", "skip", "wait"


def _verdict(
    pod: Pod,
    budgets: Budgets,
    options: AutoscalerOptions,
    now_ms: int,
    controllers: Mapping[str, int] | None,
) -> str:
    annotations = pod.spec.annotations
    safe = annotations.get(names.SAFE_TO_EVICT)
    if MIRROR in annotations or is_long_terminating(pod, now_ms):
        return _SKIP
    missing = _missing_controller(pod, options, controllers)
    if missing:
        return missing
    if pod.is_daemon:
        return _SKIP
    if safe == "true" or pod.is_finished:
        return _MOVE
    if safe == "on-completion":
        return _WAIT
    return _blocked(pod, safe, budgets, options, now_ms) or _MOVE


def _blocked(
    pod: Pod, safe: str | None, budgets: Budgets, options: AutoscalerOptions, now_ms: int
) -> str:
    if not _is_replicated(pod, options):
        return f"{pod.key} is not replicated"
    matching = budgets.matching(pod)
    if (
        options.skip_nodes_with_system_pods
        and pod.namespace == names.SYSTEM_NAMESPACE
        and not matching
    ):
        if now_ms > pod.created_ms + options.blocking_system_pod_disruption_ms:
            return ""
        return f"non-daemonset, non-mirrored, non-pdb-assigned kube-system pod present: {pod.name}"
    if safe == "false":
        return f"pod annotated as not safe to evict present: {pod.name}"
    if options.skip_nodes_with_local_storage and _has_local_storage(pod):
        return f"pod with local storage present: {pod.name}"
    if any(left < 1 for left in matching):
        return f"not enough pod disruption budget to move {pod.key}"
    return ""


def is_long_terminating(pod: Pod, now_ms: int) -> bool:
    """Return whether the pod should have ended by itself some time ago."""
    if pod.deleting_ms is None:
        return False
    return pod.deleting_ms + pod.spec.grace_seconds * 1000 + LONG_TERMINATING_EXTRA_MS < now_ms


def _missing_controller(
    pod: Pod, options: AutoscalerOptions, controllers: Mapping[str, int] | None
) -> str:
    if (
        controllers is None
        or pod.owner is None
        or not options.skip_nodes_with_custom_controller_pods
    ):
        return ""
    if pod.owner.kind not in REPLICATED_KINDS:
        return ""
    replicas = controllers.get(pod.owner.uid)
    if replicas is None:
        return f"controller of {pod.key} is not available"
    if replicas < options.min_replica_count and pod.owner.kind != "Job":
        return f"controller of {pod.key} has too few replicas: {replicas}"
    return ""


def _is_replicated(pod: Pod, options: AutoscalerOptions) -> bool:
    if pod.owner is None:
        return False
    return not options.skip_nodes_with_custom_controller_pods or pod.owner.kind in REPLICATED_KINDS


def _has_local_storage(pod: Pod) -> bool:
    allowed = {
        one.strip() for one in pod.spec.annotations.get(names.SAFE_TO_EVICT_VOLUMES, "").split(",")
    }
    return any(
        kind is not LocalVolume.EMPTY_DIR_MEMORY and name not in allowed
        for name, kind in pod.spec.local_volumes
    )


def _covers(budget: PodDisruptionBudget, pod: Pod) -> bool:
    return budget.namespace == pod.namespace and budget.selector.matches(pod.spec.labels)
