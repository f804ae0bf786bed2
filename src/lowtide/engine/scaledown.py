"""Scale-down: which nodes are not needed, since when, and which of them go now.

core/scaledown at 1.36.1: eligibility by utilisation, a simulated removal of each candidate, timers, budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lowtide.engine import clusterstate, tags
from lowtide.engine.choice import shuffled
from lowtide.engine.drain import (
    MIRROR,
    Budgets,
    PodsToMove,
    is_long_terminating,
    pods_to_move,
)
from lowtide.engine.filters import first_fit
from lowtide.engine.ledger import NodeState
from lowtide.engine.options import MINUTE
from lowtide.engine.provider import KnownGroup
from lowtide.engine.work import Work, has_gpu, is_ready
from lowtide.model import names
from lowtide.model.decision import AddTaint, DeleteNode, RemoveTaint
from lowtide.model.kube import Node, Pod, Taint
from lowtide.model.quantity import CPU, MEMORY, NVIDIA_GPU

BEING_DELETED_MS = 5 * MINUTE
"""After this a node that still carries the deletion taint is looked at again."""


@dataclass(slots=True)
class Removable:
    """A node that may go, with the pods that would move."""

    node: Node
    group: str
    pods: list[Pod]
    risky: bool = False
    waits: bool = False


def scale_down(work: Work, nodes: Sequence[Node]) -> None:
    """Plan in every loop; delete only outside the cool-downs. ``nodes`` are the registered ones."""
    _note_results(work)
    removable = _plan(work, nodes)
    deleted: set[str] = set()
    if not _in_cooldown(work):
        deleted = _delete(work, removable)
    _soft_taints(work, nodes, deleted)


def _note_results(work: Work) -> None:
    """Remember when each group last lost a node, or failed to (for the group-local delays)."""
    for result in work.snapshot.deletion_results:
        if result.ok:
            work.deleted[result.group] = result.ended_ms
        elif result.refused:
            work.failed[result.group] = result.ended_ms


def _plan(work: Work, nodes: Sequence[Node]) -> dict[str, Removable]:
    """Find the unneeded nodes and remember since when they are."""
    now_ms = work.now_ms
    if work.planned_ms is not None:
        gap = now_ms - work.planned_ms
        known = work.shortest_gap_ms or work.options.scale_down_unneeded_ms or 1
        work.shortest_gap_ms = min(known, gap)
    work.planned_ms = now_ms
    deleting = {one.node for one in work.snapshot.deletions}
    here = [one for one in nodes if one.name not in deleting and one.name in work.ledger.nodes]
    work.unremovable_until = {
        name: until
        for name, until in work.unremovable_until.items()
        if until > now_ms and name in work.ledger.nodes
    }
    budgets = Budgets(work.snapshot.budgets)
    candidates = [one for one in _candidates(work, here) if _is_eligible(work, one)]
    mark = work.ledger.mark()
    removable = _simulate(work, candidates, {one.name for one in here}, budgets)
    work.ledger.undo(mark)
    work.unneeded = {name: work.unneeded.get(name, now_ms) for name in removable}
    return removable


def _candidates(work: Work, nodes: Sequence[Node]) -> list[Node]:
    """Return nodes of groups above their minimum: empty ones first, then those already unneeded."""
    chosen = []
    for node in nodes:
        name = work.group_of.get(node.name)
        if name is None:
            continue
        group = work.groups[name]
        if group.target > group.min_size and not _is_delayed(work, name):
            chosen.append(node)
    budgets = Budgets(work.snapshot.budgets)

    def rank(node: Node) -> tuple[bool, bool]:
        state = work.ledger.nodes[node.name]
        is_empty = all(pod.is_daemon for pod in state.pods.values())
        if not is_empty:
            moving = _moving(work, state, budgets)
            is_empty = not moving.pods and not moving.blocked
        return (not is_empty, node.name not in work.unneeded)

    return sorted(chosen, key=rank) if len(chosen) > 1 else chosen


def _is_delayed(work: Work, group: str) -> bool:
    """With --scale-down-delay-type-local each group has its own delays."""
    options, now_ms = work.options, work.now_ms
    if not options.scale_down_delay_type_local:
        return False
    for times, delay_ms in (
        (work.added, options.scale_down_delay_after_add_ms),
        (work.deleted, options.scale_down_delay_after_delete_ms),
        (work.failed, options.scale_down_delay_after_failure_ms),
    ):
        if group in times and times[group] + delay_ms > now_ms:
            return True
    return False


def _is_eligible(work: Work, node: Node) -> bool:
    if node.name in work.unremovable_until:
        return False
    if node.annotations.get(names.SCALE_DOWN_DISABLED) == "true":
        return False
    if _is_being_deleted(node, work.now_ms):
        return False
    if not work.options.scale_down_unready_enabled and not is_ready(node):
        return False
    group = work.groups[work.group_of[node.name]]
    used = utilization(work, work.ledger.nodes[node.name], group)
    if has_gpu(node):
        limit = tags.number(
            group.options.get("scaledowngpuutilizationthreshold"),
            work.options.scale_down_gpu_utilization_threshold,
        )
    else:
        limit = tags.number(
            group.options.get("scaledownutilizationthreshold"),
            work.options.scale_down_utilization_threshold,
        )
    return used <= limit


def utilization(work: Work, state: NodeState, group: KnownGroup) -> float:
    """Return the share of the node in use: GPUs alone on GPU nodes, else the larger of CPU and memory."""
    return max(_shares(work, state, group).values())


def _shares(work: Work, state: NodeState, group: KnownGroup) -> dict[str, float]:
    """Return the share in use of each resource that counts (simulator/utilization/info.go).

    Daemon and mirror pods may be left out, then on both sides; pods that should have ended do not count.
    """
    node, options = state.node, work.options
    without_daemons = tags.flag(
        group.options.get("ignoredaemonsetsutilization"),
        default=options.ignore_daemonsets_utilization,
    )
    shares = {}
    for name in (NVIDIA_GPU,) if has_gpu(node) else (CPU, MEMORY):
        total = node.allocatable.get(name, 0)
        asked = 0
        for pod in state.pods.values():
            amount = pod.spec.requests.get(name, 0)
            if (pod.is_daemon and without_daemons) or (
                options.ignore_mirror_pods_utilization and MIRROR in pod.spec.annotations
            ):
                total -= amount
            elif not is_long_terminating(pod, work.now_ms):
                asked += amount
        shares[name] = max(0.0, asked / total) if total > 0 else 0.0
    return shares


def _is_being_deleted(node: Node, now_ms: int) -> bool:
    for taint in node.taints:
        if taint.key == names.TAINT_TO_BE_DELETED:
            since_ms = int(taint.value) * 1000 if taint.value.lstrip("-").isdigit() else now_ms
            return now_ms - since_ms < BEING_DELETED_MS
    return False


def _simulate(
    work: Work, candidates: Sequence[Node], destinations: set[str], budgets: Budgets
) -> dict[str, Removable]:
    """Take candidates off one by one, as long as their pods find room on what stays."""
    removable: dict[str, Removable] = {}
    limit = _unneeded_limit(work)
    for node in candidates:
        if len(removable) >= limit:
            break
        state = work.ledger.nodes[node.name]
        moving = _moving(work, state, budgets)
        if moving.blocked or not _move(work, moving.pods, node.name, destinations):
            work.unremovable_until[node.name] = (
                work.now_ms + work.options.unremovable_node_recheck_ms
            )
            continue
        destinations.discard(node.name)
        risky = not budgets.allow_at_once(moving.pods)
        budgets.take(moving.pods)
        removable[node.name] = Removable(
            node=node,
            group=work.group_of[node.name],
            pods=moving.pods,
            risky=risky,
            waits=bool(moving.waits_for),
        )
    return removable


def _moving(work: Work, state: NodeState, budgets: Budgets) -> PodsToMove:
    return pods_to_move(
        state.pods.values(),
        budgets,
        work.options,
        now_ms=work.now_ms,
        controllers=work.snapshot.controllers,
    )


def _move(work: Work, pods: Sequence[Pod], source: str, destinations: set[str]) -> bool:
    """Move the pods to other nodes in the ledger; all or none."""
    if not pods:
        return True
    mark = work.ledger.mark()
    for pod in pods:
        work.ledger.lift(pod.key, source)
    targets = [
        state
        for state in work.ledger
        if state.node.name != source and state.node.name in destinations
    ]
    for pod in pods:
        hint = work.before.moves.get(pod.key)
        ordered = [one for one in targets if one.node.name == hint] or targets
        found = first_fit(pod, ordered, work.cursor, work.ledger)
        if found is None and ordered is not targets:
            ordered = targets
            found = first_fit(pod, ordered, work.cursor, work.ledger)
        if found is None:
            work.ledger.undo(mark)
            return False
        if ordered is targets:
            work.cursor = found + 1
        work.moves[pod.key] = ordered[found].node.name
        work.ledger.place(pod, ordered[found].node.name)
    return True


def _unneeded_limit(work: Work) -> int:
    """Return how many unneeded nodes are worth knowing (planner.unneededNodesLimit)."""
    at_once = work.options.max_scale_down_parallelism
    limit = len(work.unneeded) + 2 * at_once
    gap = work.shortest_gap_ms or work.options.scale_down_unneeded_ms or 1
    loops = max(work.options.scale_down_unneeded_ms, gap) // gap
    return min(limit, at_once * loops + at_once)


def _in_cooldown(work: Work) -> bool:
    options, now_ms = work.options, work.now_ms
    if work.scale_down_disabled:
        return True
    if options.scale_down_delay_type_local:
        return False
    for since_ms, delay_ms in (
        (work.scaled_up_ms, options.scale_down_delay_after_add_ms),
        (work.scale_down_failed_ms, options.scale_down_delay_after_failure_ms),
        (work.scaled_down_ms, options.scale_down_delay_after_delete_ms),
    ):
        if since_ms is not None and since_ms + delay_ms > now_ms:
            return True
    return False


def _delete(work: Work, removable: dict[str, Removable]) -> set[str]:
    """Start deletions within the budgets; return the nodes."""
    ripe = _ripe(work, removable)
    in_flight = work.snapshot.deletions
    budget = work.options.max_scale_down_parallelism - len(in_flight)
    drain_budget = work.options.max_drain_parallelism - sum(1 for one in in_flight if one.drain)
    empty = [one for one in ripe if not one.pods and not one.waits]
    drain = sorted((one for one in ripe if one.pods and not one.waits), key=lambda one: one.risky)
    chosen = _by_group(empty)[: max(0, budget)]
    budget -= len(chosen)
    chosen += _by_group(drain)[: max(0, min(budget, drain_budget))]
    for one in chosen:
        unneeded_s = (work.now_ms - work.unneeded[one.node.name]) / 1000
        work.commands.append(
            DeleteNode(
                node=one.node.name,
                group=one.group,
                instance_id=one.node.instance_id,
                pods=tuple(pod.key for pod in one.pods),
                why=f"unneeded for {unneeded_s:g} s"
                + (f", {len(one.pods)} pods move elsewhere" if one.pods else ", empty"),
            )
        )
        _tell(work, one)
    if chosen:
        work.tainted = True
        work.scaled_down_ms = work.now_ms
    return {one.node.name for one in chosen}


def _tell(work: Work, one: Removable) -> None:
    """Say which node goes, in the actuator's words (core/scaledown/actuation, logging of StartDeletion)."""
    name = one.node.name
    if not one.pods:
        message = f'Scale-down: removing empty node "{name}"'
        work.event("ScaleDownEmpty", clusterstate.STATUS, message)
        return
    shares = _shares(work, work.ledger.nodes[name], work.groups[one.group])
    # Go prints the struct's fields: CPU, memory, GPU, dynamic resources, the resource used most, and its share.
    most = max(shares, key=lambda resource: (shares[resource], resource == MEMORY))
    columns = [shares.get(resource, 0.0) for resource in (CPU, MEMORY, NVIDIA_GPU)]
    used = " ".join(f"{share:.16g}" for share in (*columns, 0.0))
    pods = ",".join(pod.name for pod in one.pods)
    message = (
        f"Scale-down: removing node {name}, utilization: {{{used} {most} {shares[most]:.16g}}}, "
        f"pods to reschedule: {pods}"
    )
    work.event("ScaleDown", clusterstate.STATUS, message)


def _ripe(work: Work, removable: dict[str, Removable]) -> list[Removable]:
    """Return nodes unneeded for longer than their time, groups kept at their minimum."""
    sizes = {name: group.target for name, group in work.groups.items()}
    deleting: dict[str, int] = {}
    for deletion in work.snapshot.deletions:
        deleting[deletion.group] = deleting.get(deletion.group, 0) + 1
    ripe: list[Removable] = []
    if not removable:
        return ripe
    order = shuffled(list(removable), seed=work.options.seed, now_ms=work.now_ms, what="scale-down")
    for name in sorted(order, key=lambda one: bool(removable[one].pods)):
        one = removable[name]
        since_ms, wait_ms = work.unneeded[name], _wait_ms(work, one)
        if wait_ms > 0 and not since_ms + wait_ms < work.now_ms:
            continue
        group = work.groups[one.group]
        if sizes[one.group] - deleting.get(one.group, 0) <= group.min_size:
            continue
        sizes[one.group] -= 1
        ripe.append(one)
    return ripe


def _wait_ms(work: Work, one: Removable) -> int:
    given = work.groups[one.group].options
    if is_ready(one.node):
        return tags.duration_ms(
            given.get("scaledownunneededtime"), work.options.scale_down_unneeded_ms
        )
    return tags.duration_ms(given.get("scaledownunreadytime"), work.options.scale_down_unready_ms)


def _by_group(many: Sequence[Removable]) -> list[Removable]:
    """Keep the order of groups by first appearance, as the budget is cut group by group."""
    order: dict[str, list[Removable]] = {}
    for one in many:
        order.setdefault(one.group, []).append(one)
    return [one for group in order.values() for one in group]


def _soft_taints(work: Work, nodes: Sequence[Node], deleted: set[str]) -> None:
    """Mark unneeded nodes so that the scheduler avoids them; at most ten changes a loop."""
    budget = work.options.max_bulk_soft_taint_count
    if not budget:
        return
    own = [
        one
        for one in nodes
        if one.name in work.group_of
        and one.name not in deleted
        and all(taint.key != names.TAINT_TO_BE_DELETED for taint in one.taints)
    ]
    marked = {
        one.name
        for one in own
        if any(taint.key == names.TAINT_DELETION_CANDIDATE for taint in one.taints)
    }
    for node in own:
        if budget and node.name in marked and node.name not in work.unneeded:
            work.commands.append(RemoveTaint(node=node.name, key=names.TAINT_DELETION_CANDIDATE))
            budget -= 1
    for node in own:
        if budget and node.name in work.unneeded and node.name not in marked:
            taint = Taint(
                key=names.TAINT_DELETION_CANDIDATE,
                value=str(work.now_ms // 1000),
                effect="PreferNoSchedule",
            )
            work.commands.append(AddTaint(node=node.name, taint=taint))
            budget -= 1
