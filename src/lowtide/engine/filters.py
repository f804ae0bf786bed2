"""The scheduler's filters: may this pod run on this node, and if not, why.

Order and words are those of kube-scheduler's default profile (pkg/scheduler/framework/plugins at
1.36); the first filter that refuses names its reasons. The autoscaler runs the same filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lowtide.engine.ledger import Ledger, NodeState
from lowtide.model import names
from lowtide.model.kube import (
    Node,
    NodeSelectorTerm,
    Pod,
    PodAffinityTerm,
    PodSpec,
    Taint,
    TopologySpread,
)
from lowtide.model.quantity import CPU, EPHEMERAL_STORAGE, MEMORY, PODS

UNSCHEDULABLE = "node(s) were unschedulable"
NOT_MATCHING = "node(s) didn't match Pod's node affinity/selector"
PORTS_TAKEN = "node(s) didn't have free ports for the requested pod ports"
TOO_MANY_PODS = "Too many pods"
SPREAD_BROKEN = "node(s) didn't match pod topology spread constraints"
SPREAD_NO_LABEL = SPREAD_BROKEN + " (missing required label)"
AFFINITY_BROKEN = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY_BROKEN = "node(s) didn't match pod anti-affinity rules"
OTHERS_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

_BASIC = (CPU, MEMORY, EPHEMERAL_STORAGE)
_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")


def untolerated(spec: PodSpec, taints: Iterable[Taint]) -> Taint | None:
    """Return the first NoSchedule or NoExecute taint that the pod does not tolerate."""
    for taint in taints:
        if taint.effect in _BLOCKING_EFFECTS and not any(
            one.tolerates(taint) for one in spec.tolerations
        ):
            return taint
    return None


def tolerates(spec: PodSpec, taints: Iterable[Taint]) -> bool:
    """Return whether the pod tolerates every taint that keeps pods away."""
    return untolerated(spec, taints) is None


def term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    """Return whether a node selector term holds; an empty term matches nothing."""
    if not term.expressions and not term.fields:
        return False
    if not all(one.matches(node.labels) for one in term.expressions):
        return False
    name = {"metadata.name": node.name}
    return all(one.matches(name) for one in term.fields)


def node_affinity_matches(spec: PodSpec, node: Node) -> bool:
    """Return whether the node satisfies the pod's nodeSelector and required node affinity."""
    labels = node.labels
    for key, value in spec.node_selector.items():
        if labels.get(key) != value:
            return False
    terms = spec.affinity.node_required
    return not terms or any(term_matches(term, node) for term in terms)


def refuse(pod: Pod, state: NodeState, ledger: Ledger) -> tuple[str, ...]:
    """Return why the pod cannot run on the node, empty when it can."""
    spec, node = pod.spec, state.node
    static = _refuse_static(spec, node)
    if static:
        return static
    if spec.host_ports and not state.ports.isdisjoint(spec.host_ports):
        return (PORTS_TAKEN,)
    lacking = _insufficient(spec, state)
    if lacking:
        return lacking
    if spec.spread:
        broken = _spread_broken(pod, node, ledger)
        if broken:
            return (broken,)
    if ledger.anti_affine or spec.affinity.pod_required or spec.affinity.anti_required:
        broken = _pod_affinity_broken(pod, node, ledger)
        if broken:
            return (broken,)
    return ()


def fits(pod: Pod, state: NodeState, ledger: Ledger) -> bool:
    """Return whether the pod can run on the node."""
    # The common case first and without building reasons: a resource that is short.
    free = state.free
    for resource, amount in pod.spec.requests.items():
        if amount and amount > free.get(resource, 0):
            return False
    return not refuse(pod, state, ledger)


def _refuse_static(spec: PodSpec, node: Node) -> tuple[str, ...]:
    """Refuse by what does not depend on other pods: cordon, taints, selector."""
    if node.unschedulable and not tolerates(
        spec, (Taint(key=names.TAINT_UNSCHEDULABLE, effect="NoSchedule"),)
    ):
        return (UNSCHEDULABLE,)
    taint = untolerated(spec, node.taints)
    if taint is not None:
        return (f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}",)
    if not node_affinity_matches(spec, node):
        return (NOT_MATCHING,)
    return ()


def _insufficient(spec: PodSpec, state: NodeState) -> tuple[str, ...]:
    free = state.free
    lacking = []
    if free[PODS] < 1:
        lacking.append(TOO_MANY_PODS)
    requests = spec.requests
    lacking.extend(
        f"Insufficient {name}"
        for name in _BASIC
        if requests.get(name, 0) > max(0, free.get(name, 0))
    )
    lacking.extend(
        f"Insufficient {name}"
        for name, amount in requests.items()
        if name not in _BASIC and amount > max(0, free.get(name, 0))
    )
    return tuple(lacking)


def domain_counts(pod: Pod, rule: TopologySpread, ledger: Ledger) -> tuple[dict[str, int], int]:
    """Return matching pods per domain of a spread constraint, and the global minimum.

    Only nodes that the pod's own selector admits (nodeAffinityPolicy Honor) and that carry every
    spread key of the pod count (podtopologyspread/filtering.go, calPreFilterState).
    """
    keys = [
        one.topology_key for one in pod.spec.spread if one.when_unsatisfiable == "DoNotSchedule"
    ]
    counts: dict[str, int] = {}
    for state in ledger:
        labels = state.node.labels
        if any(key not in labels for key in keys) or rule.topology_key not in labels:
            continue
        if rule.node_affinity_policy == "Honor" and not node_affinity_matches(pod.spec, state.node):
            continue
        if rule.node_taints_policy == "Honor" and not tolerates(pod.spec, state.node.taints):
            continue
        domain = labels[rule.topology_key]
        matching = sum(
            1
            for other in state.pods.values()
            if other.namespace == pod.namespace
            and other.deleting_ms is None
            and rule.selector.matches(other.spec.labels)
        )
        counts[domain] = counts.get(domain, 0) + matching
    lowest = min(counts.values(), default=0)
    return counts, 0 if len(counts) < rule.min_domains else lowest


def _spread_broken(pod: Pod, node: Node, ledger: Ledger) -> str:
    for rule in pod.spec.spread:
        if rule.when_unsatisfiable != "DoNotSchedule":
            continue
        domain = node.labels.get(rule.topology_key)
        if domain is None:
            return SPREAD_NO_LABEL
        counts, lowest = domain_counts(pod, rule, ledger)
        own = 1 if rule.selector.matches(pod.spec.labels) else 0
        if counts.get(domain, 0) + own - lowest > rule.max_skew:
            return SPREAD_BROKEN
    return ""


def _pod_affinity_broken(pod: Pod, node: Node, ledger: Ledger) -> str:
    affinity = pod.spec.affinity
    if affinity.pod_required and not _affinity_holds(pod, affinity.pod_required, node, ledger):
        return AFFINITY_BROKEN
    for term in affinity.anti_required:
        if any(_in_domain(term, pod, node, ledger)):
            return ANTI_AFFINITY_BROKEN
    for other, other_node in ledger.anti_affine.values():
        labels = ledger.nodes[other_node].node.labels
        for term in other.spec.affinity.anti_required:
            same = labels.get(term.topology_key)
            if (
                same is not None
                and same == node.labels.get(term.topology_key)
                and term_selects(term, other.namespace, pod)
            ):
                return OTHERS_ANTI_AFFINITY
    return ""


def term_selects(term: PodAffinityTerm, namespace: str, other: Pod) -> bool:
    """Return whether the term of a pod in ``namespace`` selects the other pod."""
    allowed = term.namespaces or (namespace,)
    return other.namespace in allowed and term.selector.matches(other.spec.labels)


def _in_domain(term: PodAffinityTerm, pod: Pod, node: Node, ledger: Ledger) -> Iterator[Pod]:
    domain = node.labels.get(term.topology_key)
    if domain is None:
        return
    for other, other_node in ledger.placed():
        if other_node.labels.get(term.topology_key) == domain and term_selects(
            term, pod.namespace, other
        ):
            yield other


def _affinity_holds(
    pod: Pod, terms: tuple[PodAffinityTerm, ...], node: Node, ledger: Ledger
) -> bool:
    if any(term.topology_key not in node.labels for term in terms):
        return False
    if all(any(_in_domain(term, pod, node, ledger)) for term in terms):
        return True
    # The first pod of a group that is affine to itself may go anywhere
    # (interpodaffinity/filtering.go, satisfyPodAffinity).
    nobody = not any(
        term_selects(term, pod.namespace, other) for term in terms for other, _ in ledger.placed()
    )
    return nobody and all(term_selects(term, pod.namespace, pod) for term in terms)


def first_fit(pod: Pod, states: list[NodeState], start: int, ledger: Ledger) -> int | None:
    """Return the index of the first node that takes the pod, searching round-robin from ``start``."""
    count = len(states)
    for offset in range(count):
        index = (start + offset) % count
        if fits(pod, states[index], ledger):
            return index
    return None


def reasons_by_node(pod: Pod, ledger: Ledger) -> Mapping[str, tuple[str, ...]]:
    """Return why each node refuses the pod (empty tuples are nodes that would take it)."""
    return {state.node.name: refuse(pod, state, ledger) for state in ledger}
