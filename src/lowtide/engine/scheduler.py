"""kube-scheduler: where do the pending pods go.

One pass over the queue in the default order (priority, then age): filter, score, take the best node,
break ties by a pure hash. What it refuses it explains, node by node.
"""

from __future__ import annotations

from lowtide.engine.choice import pick
from lowtide.engine.filters import fits, reasons_by_node
from lowtide.engine.ledger import Ledger
from lowtide.engine.options import SchedulerProfile
from lowtide.engine.scores import total_scores
from lowtide.model.decision import Placement, Placements, Refusal
from lowtide.model.kube import Phase, Pod, PodSpec
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
    refusals: list[Refusal] = []
    # A pod of a shape that was just refused is refused too: the ledger has only become fuller.
    hopeless: dict[int, PodSpec] = {}
    explained: dict[int, tuple[Refusal, ...]] = {}
    for pod in sorted(pending, key=_queue_order):
        spec = pod.spec
        if id(spec) in hopeless and _is_monotone(spec):
            refused.append(pod.key)
            refusals.extend(_renamed(explained[id(spec)], pod.key))
            continue
        node = best_node(pod, ledger, profile, now_ms=now_ms)
        if node is None:
            refused.append(pod.key)
            reasons = _refusals(pod, ledger)
            refusals.extend(reasons)
            hopeless[id(spec)] = spec
            explained[id(spec)] = reasons
            continue
        ledger.place(pod, node)
        placed.append(Placement(pod=pod.key, node=node))
    return Placements(placed=tuple(placed), refused=tuple(refused), refusals=tuple(refusals))


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


def _is_monotone(spec: PodSpec) -> bool:
    """Placing other pods cannot make such a pod fit: it has no affinity and no spread to others."""
    return not spec.spread and not spec.affinity.pod_required


def _refusals(pod: Pod, ledger: Ledger) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(pod=pod.key, scope="node", subject=name, reasons=reasons)
        for name, reasons in reasons_by_node(pod, ledger).items()
    )


def _renamed(reasons: tuple[Refusal, ...], key: str) -> list[Refusal]:
    return [
        Refusal(pod=key, scope=one.scope, subject=one.subject, reasons=one.reasons)
        for one in reasons
    ]
