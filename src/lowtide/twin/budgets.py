"""PodDisruptionBudgets: how many pods may be evicted now.

Why it exists: an eviction that the budget forbids is answered with 429, and the autoscaler plans with the same number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from lowtide.model.kube import Phase, Pod, PodDisruptionBudget
from lowtide.model.workload import Budget

#: From the uid of a controller to the number of pods it wants.
Scale = Callable[[str], int | None]


def status_of(budget: Budget, pods: Iterable[Pod], scale: Scale) -> PodDisruptionBudget:
    """Return the budget with the disruptions it allows: healthy pods minus needed ones, never below 0.

    What is expected is the sum of the controllers' scales (pkg/controller/disruption, getExpectedPodCount);
    percentages are rounded up.
    """
    matching = [
        pod
        for pod in pods
        if pod.namespace == budget.meta.namespace and budget.selector.matches(pod.spec.labels)
    ]
    healthy = sum(1 for pod in matching if pod.phase is Phase.RUNNING and pod.deleting_ms is None)
    expected = _expected(matching, scale)
    if budget.min_available is not None:
        needed = _amount(budget.min_available, expected)
    else:
        needed = expected - _amount(budget.max_unavailable or 0, expected)
    return PodDisruptionBudget(
        name=budget.meta.name,
        namespace=budget.meta.namespace,
        selector=budget.selector,
        disruptions_allowed=max(0, healthy - max(0, needed)),
    )


def _expected(pods: list[Pod], scale: Scale) -> int:
    owners = {pod.owner.uid for pod in pods if pod.owner is not None}
    bare = sum(1 for pod in pods if pod.owner is None)
    return bare + sum(scale(uid) or 0 for uid in owners)


def _amount(bound: int | str, of: int) -> int:
    if isinstance(bound, int):
        return bound
    return math.ceil(float(bound.rstrip("%")) / 100 * of)
