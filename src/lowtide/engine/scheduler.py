"""kube-scheduler: where do the pending pods go.

One pass over the queue in the default order (priority, then age): filter, score, take the best node,
break ties by a pure hash. What it refuses it explains, node by node.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from lowtide.engine.choice import pick
from lowtide.engine.filters import fits, reasons_by_node
from lowtide.engine.ledger import Ledger
from lowtide.engine.options import SchedulerProfile
from lowtide.engine.scores import total_scores
from lowtide.engine.shapes import Shapes, is_monotone
from lowtide.model.decision import Placement, Placements, Refusal
from lowtide.model.kube import Phase, Pod
from lowtide.model.snapshot import Snapshot

SCHEDULER_NAME = "default-scheduler"


def schedule(snapshot: Snapshot, profile: SchedulerProfile) -> Placements:
    """Place every pending pod of the default scheduler that fits somewhere."""
    pending = [pod for pod in snapshot.pods if is_waiting(pod)]
    if not pending:
        return Placements()
    return schedule_on(
        Ledger.of(snapshot.nodes, snapshot.pods), pending, profile, now_ms=snapshot.now_ms
    )


def is_waiting(pod: Pod) -> bool:
    """Return whether the default scheduler still has to find a node for the pod."""
    return (
        pod.node_name is None
        and pod.phase is Phase.PENDING
        and pod.deleting_ms is None
        and pod.spec.scheduler_name == SCHEDULER_NAME
    )


def schedule_on(
    ledger: Ledger, pending: list[Pod], profile: SchedulerProfile, *, now_ms: int
) -> Placements:
    """Place pods on a ledger, which afterwards holds them."""
    placed: list[Placement] = []
    refused: list[str] = []
    # A pod of a shape that was just refused is refused too: the ledger has only become fuller.
    alike: dict[Hashable, list[str]] = {}
    reasons: dict[Hashable, Mapping[str, tuple[str, ...]]] = {}
    shapes = Shapes()
    for pod in sorted(pending, key=_queue_order):
        shape = shapes.of(pod, ledger) if is_monotone(pod.spec) else pod.key
        node = "" if shape in alike else best_node(pod, ledger, profile, now_ms=now_ms)
        if node:
            ledger.place(pod, node)
            placed.append(Placement(pod=pod.key, node=node))
            continue
        refused.append(pod.key)
        if shape not in alike:
            reasons[shape] = reasons_by_node(pod, ledger)
        alike.setdefault(shape, []).append(pod.key)
    refusals = tuple(
        Refusal(pods=tuple(alike[shape]), scope="node", subject=name, reasons=why)
        for shape, by_node in reasons.items()
        for name, why in by_node.items()
    )
    return Placements(placed=tuple(placed), refused=tuple(refused), refusals=refusals)


def best_node(pod: Pod, ledger: Ledger, profile: SchedulerProfile, *, now_ms: int) -> str | None:
    """Return the node that scores best among those that fit, None when none fits."""
    feasible = [state for state in ledger if fits(pod, state, ledger)]
    if not feasible:
        return None
    if len(feasible) == 1:
        return feasible[0].node.name
    scores = total_scores(pod, feasible, ledger)
    highest = max(scores)
    tied = [
        state.node.name for state, score in zip(feasible, scores, strict=True) if score == highest
    ]
    return pick(tied, seed=profile.seed, now_ms=now_ms, what=f"bind {pod.key}")


def _queue_order(pod: Pod) -> tuple[int, int, str]:
    return (-pod.spec.priority, pod.created_ms, pod.key)
