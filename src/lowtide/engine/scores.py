"""The scheduler's default scoring: which of the nodes that fit is best.

Plugins and weights of the default profile (pkg/scheduler/apis/config/v1/default_plugins.go at 1.36):
TaintToleration 3, NodeAffinity 2, PodTopologySpread 2, InterPodAffinity 2, NodeResourcesFit 1,
NodeResourcesBalancedAllocation 1. ImageLocality is left out: which images a node has is not in a Snapshot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lowtide.engine.filters import term_matches, term_selects
from lowtide.engine.ledger import Ledger, NodeState
from lowtide.model import names
from lowtide.model.kube import Pod
from lowtide.model.quantity import CPU, MEMORY, MIB

MAX_SCORE = 100

# Pods of other owners have no default selector and are not spread (helper.DefaultSelector).
_SPREAD_KINDS = frozenset({"ReplicaSet", "StatefulSet", "ReplicationController"})

# Pods without requests are counted with these (pkg/scheduler/util/pod_resources.go).
DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY_BYTES = 200 * MIB


def total_scores(pod: Pod, states: Sequence[NodeState], ledger: Ledger) -> list[int]:
    """Return the weighted sum of all plugins for each node."""
    if len(states) == 1:
        return [0]
    totals = [0] * len(states)
    for weight, scores in (
        (1, [_least_allocated(pod, state) for state in states]),
        (1, [_balanced(pod, state) for state in states]),
        (3, _taints(pod, states)),
        (2, _node_affinity(pod, states)),
        (2, _default_spread(pod, states, ledger)),
        (2, _pod_affinity(pod, states, ledger)),
    ):
        for index, score in enumerate(scores):
            totals[index] += weight * score
    return totals


def _nonzero_requested(state: NodeState) -> tuple[int, int]:
    cpu = memory = 0
    for pod in state.pods.values():
        cpu += pod.spec.requests.get(CPU, DEFAULT_CPU_MILLI)
        memory += pod.spec.requests.get(MEMORY, DEFAULT_MEMORY_BYTES)
    return cpu, memory


def _least_allocated(pod: Pod, state: NodeState) -> int:
    cpu, memory = _nonzero_requested(state)
    cpu += pod.spec.requests.get(CPU, DEFAULT_CPU_MILLI)
    memory += pod.spec.requests.get(MEMORY, DEFAULT_MEMORY_BYTES)
    score = weights = 0
    for amount, name in ((cpu, CPU), (memory, MEMORY)):
        total = state.node.allocatable.get(name, 0)
        if total == 0:
            continue
        weights += 1
        score += (total - amount) * MAX_SCORE // total if amount <= total else 0
    return score // weights if weights else 0


def _balanced(pod: Pod, state: NodeState) -> int:
    """Return 100 less the spread between the CPU and memory fractions in use."""
    fractions = []
    for name in (CPU, MEMORY):
        total = state.node.allocatable.get(name, 0)
        if total:
            used = total - state.free.get(name, 0) + pod.spec.requests.get(name, 0)
            fractions.append(min(used / total, 1.0))
    if len(fractions) < 2:
        return MAX_SCORE
    return int((1 - abs(fractions[0] - fractions[1]) / 2) * MAX_SCORE)


def _taints(pod: Pod, states: Sequence[NodeState]) -> list[int]:
    counts = [
        sum(
            1
            for taint in state.node.taints
            if taint.effect == "PreferNoSchedule"
            and not any(one.tolerates(taint) for one in pod.spec.tolerations)
        )
        for state in states
    ]
    return _normalized(counts, reverse=True)


def _node_affinity(pod: Pod, states: Sequence[NodeState]) -> list[int]:
    preferred = pod.spec.affinity.node_preferred
    if not preferred:
        return [0] * len(states)
    sums = [
        sum(one.weight for one in preferred if term_matches(one.term, state.node))
        for state in states
    ]
    return _normalized(sums, reverse=False)


def _default_spread(pod: Pod, states: Sequence[NodeState], ledger: Ledger) -> list[int]:
    """Spread a controller's pods over hosts and zones (the system default constraints).

    Soft constraints of the pod itself replace the defaults.
    """
    soft = [one for one in pod.spec.spread if one.when_unsatisfiable == "ScheduleAnyway"]
    if soft:
        rules = [(one.topology_key, one.max_skew, one.selector.matches) for one in soft]
    elif pod.owner is not None and pod.owner.kind in _SPREAD_KINDS and not pod.spec.spread:
        own = pod.spec.labels

        def is_sibling(labels: Mapping[str, str]) -> bool:
            return labels == own

        rules = [
            (names.HOSTNAME, 3, is_sibling),
            (names.ZONE, 5, is_sibling),
        ]
    else:
        return [0] * len(states)
    raw = [0.0] * len(states)
    for key, max_skew, selects in rules:
        counts: dict[str, int] = {}
        for state in states:
            counts.setdefault(state.node.labels.get(key, ""), 0)
        for other, node in ledger.placed():
            domain = node.labels.get(key, "")
            if (
                domain in counts
                and other.namespace == pod.namespace
                and other.deleting_ms is None
                and selects(other.spec.labels)
            ):
                counts[domain] += 1
        weight = math.log(len(counts) + 2)
        for index, state in enumerate(states):
            raw[index] += counts[state.node.labels.get(key, "")] * weight + (max_skew - 1)
    rounded = [round(one) for one in raw]
    lowest, highest = min(rounded), max(rounded)
    if highest == 0:
        return [MAX_SCORE] * len(states)
    return [MAX_SCORE * (highest + lowest - one) // highest for one in rounded]


def _pod_affinity(pod: Pod, states: Sequence[NodeState], ledger: Ledger) -> list[int]:
    affinity = pod.spec.affinity
    if not affinity.pod_preferred and not affinity.anti_preferred:
        return [0] * len(states)
    sums = [0] * len(states)
    terms = [(one, one.weight) for one in affinity.pod_preferred]
    terms += [(one, -one.weight) for one in affinity.anti_preferred]
    for term, weight in terms:
        counts: dict[str, int] = {}
        for other, node in ledger.placed():
            domain = node.labels.get(term.topology_key)
            if domain is not None and term_selects(term, pod.namespace, other):
                counts[domain] = counts.get(domain, 0) + 1
        for index, state in enumerate(states):
            sums[index] += weight * counts.get(state.node.labels.get(term.topology_key, ""), 0)
    lowest, highest = min(sums), max(sums)
    if highest == lowest:
        return [0] * len(states)
    return [MAX_SCORE * (one - lowest) // (highest - lowest) for one in sums]


def _normalized(scores: list[int], *, reverse: bool) -> list[int]:
    """Scale to 0-100 by the maximum (framework/plugins/helper/normalize_score.go)."""
    highest = max(scores)
    if highest == 0:
        return [MAX_SCORE if reverse else 0] * len(scores)
    scaled = [MAX_SCORE * one // highest for one in scores]
    return [MAX_SCORE - one for one in scaled] if reverse else scaled
