"""The Cluster Autoscaler: one loop as a pure function (core/static_autoscaler.go at 1.36.1).

``autoscale(snapshot, memory, options)`` returns what to do, why not, and the memory for the next loop. It
has no clock and does nothing itself; when to run again is told by ``scaled_up`` and ``tainted``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from lowtide.engine import clusterstate, provider, tags
from lowtide.engine.equivalence import same_shape
from lowtide.engine.estimator import add_copy
from lowtide.engine.filters import first_fit, fits
from lowtide.engine.ledger import NodeState
from lowtide.engine.memory import (
    AutoscalerMemory,
    CachedTemplate,
    CompletedTemplate,
    TagTemplate,
)
from lowtide.engine.options import SECOND, AutoscalerOptions
from lowtide.engine.provider import KnownGroup
from lowtide.engine.scaledown import scale_down
from lowtide.engine.scaleup import scale_up
from lowtide.engine.shapes import is_monotone
from lowtide.engine.template import Template, from_group, from_node, is_good_source, overlaid
from lowtide.engine.work import Work
from lowtide.model import names
from lowtide.model.decision import Decision, RemoveTaint, SetDesired, TerminateInstance
from lowtide.model.kube import Node, Pod, PodSpec
from lowtide.model.quantity import NVIDIA_GPU
from lowtide.model.snapshot import Snapshot

NEW_POD_MS = 2 * SECOND
"""Pods younger than this are given a moment (unschedulablePodTimeBuffer)."""

NEW_GPU_POD_MS = 30 * SECOND
"""GPU pods are given this long (unschedulablePodWithGpuTimeBuffer): GPUs of a fresh node appear late."""


def autoscale(
    snapshot: Snapshot, memory: AutoscalerMemory, options: AutoscalerOptions
) -> tuple[Decision, AutoscalerMemory]:
    """Run one loop and return its decision and the memory after it."""
    work = Work(snapshot, memory, options)
    mark = work.ledger.mark()
    try:
        _run(work)
    finally:
        # The ledger may serve the next loop too, whatever happened in this one.
        work.ledger.undo(mark)
    return _decision(work), work.freeze()


def _run(work: Work) -> None:
    _refresh(work)
    clusterstate.update(work)
    if not work.cleaned:
        _clean_up(work)
    _find_templates(work)
    _remove_long_unregistered(work)
    if not clusterstate.is_healthy(work):
        work.unneeded = {}
        work.event("ClusterUnhealthy", clusterstate.STATUS, "Cluster is unhealthy")
        return
    _remove_failed(work)
    if _sizes_are_plausible(work):
        _scale(work)


def _clean_up(work: Work) -> None:
    """Take back what an earlier process left half done: nodes marked for deletion, never deleted."""
    work.cleaned = True
    under_way = {one.node for one in work.snapshot.deletions}
    for node in work.snapshot.nodes:
        marked = any(one.key == names.TAINT_TO_BE_DELETED for one in node.taints)
        if marked and node.name in work.group_of and node.name not in under_way:
            work.commands.append(
                RemoveTaint(
                    node=node.name,
                    key=names.TAINT_TO_BE_DELETED,
                    uncordon=work.options.cordon_node_before_terminating,
                )
            )


def started(snapshot: Snapshot, options: AutoscalerOptions) -> AutoscalerMemory:
    """Return the memory of an autoscaler that has just started: it asks AWS once, a loop before it acts."""
    return AutoscalerMemory(
        groups=provider.ask(snapshot.groups, {}, options), asked_ms=snapshot.now_ms
    )


def asks_aws(asked_ms: int | None, now_ms: int, *, has_ended_deletions: bool) -> bool:
    """Return whether a loop at that time asks AWS for the groups; between two asks it works on what it knows.

    ``asked_ms`` is the memory's; a snapshot of the loops in between need hold no fresh groups.
    """
    return (
        asked_ms is None or asked_ms + provider.REFRESH_INTERVAL_MS <= now_ms or has_ended_deletions
    )


def _refresh(work: Work) -> None:
    """Ask AWS again after a minute, or right after a deletion."""
    due = asks_aws(
        work.asked_ms, work.now_ms, has_ended_deletions=bool(work.snapshot.deletion_results)
    )
    if due:
        work.groups = provider.ask(work.snapshot.groups, work.groups, work.options)
        work.asked_ms = work.now_ms


def _find_templates(work: Work) -> None:
    """Choose each group's template: a good node, the cache, the tags, any node."""
    good: dict[str, Node] = {}
    bad: dict[str, Node] = {}
    for node in work.snapshot.nodes:
        name = work.group_of.get(node.name)
        if name is None:
            continue
        ready = node.name in work.ready_nodes
        source = good if is_good_source(node, ready=ready, now_ms=work.now_ms) else bad
        source.setdefault(name, node)
    for name, node in good.items():
        _cache_template(work, name, node)
    expiry_ms = work.options.node_info_cache_expire_ms
    for name, group in work.groups.items():
        cached = work.cached.get(name)
        if cached is not None and (name in good or work.now_ms - cached.added_ms <= expiry_ms):
            work.templates[name] = _completed(work, group, cached)
            continue
        work.cached.pop(name, None)
        template = _from_tags(work, group)
        if template is None and name in bad:
            template = _template_of(work, name, bad[name])
        if template is not None:
            work.templates[name] = template
    work.cached = {name: one for name, one in work.cached.items() if name in work.groups}


def _cache_template(work: Work, name: str, node: Node) -> None:
    """Keep the node's template, made anew only where something that it is made of has changed."""
    daemons = tuple(pod for pod in work.ledger.nodes[node.name].pods.values() if pod.is_daemon)
    known = work.cached.get(name)
    if (
        known is not None
        and known.source is node
        and known.daemon_sets is work.snapshot.daemon_sets
        and len(known.daemons) == len(daemons)
        and all(one is other for one, other in zip(known.daemons, daemons, strict=True))
    ):
        work.cached[name] = replace(known, added_ms=work.now_ms)
        return
    work.cached[name] = CachedTemplate(
        template=_template_of(work, name, node),
        added_ms=work.now_ms,
        source=node,
        daemons=daemons,
        daemon_sets=work.snapshot.daemon_sets,
    )


def _completed(work: Work, group: KnownGroup, cached: CachedTemplate) -> Template:
    """Return a cached template with what type and tags of today add to it."""
    known = work.completed.get(group.name)
    if known is None or not (
        known.base is cached.template and known.tags is group.tags and known.shape is group.shape
    ):
        known = CompletedTemplate(
            cached.template, group.tags, group.shape, overlaid(cached.template, group)
        )
        work.completed[group.name] = known
    return known.template


def _from_tags(work: Work, group: KnownGroup) -> Template | None:
    daemon_sets = work.snapshot.daemon_sets
    known = work.tag_templates.get(group.name)
    if known is None or not (
        known.tags is group.tags
        and known.shape is group.shape
        and known.zones == group.zones
        and known.daemon_sets is daemon_sets
    ):
        template = from_group(group, daemon_sets)
        known = TagTemplate(group.tags, group.shape, group.zones, daemon_sets, template)
        work.tag_templates[group.name] = known
    return known.template


def _template_of(work: Work, name: str, node: Node) -> Template:
    return from_node(
        node,
        work.groups[name],
        work.ledger.nodes[node.name].pods.values(),
        work.snapshot.daemon_sets,
        force=work.options.force_daemonsets,
    )


def _remove_long_unregistered(work: Work) -> None:
    """Delete instances that never became nodes, and placeholders that never became instances."""
    for name, readiness in work.readiness.items():
        group = work.groups[name]
        late = readiness.long_unregistered[: max(0, group.target - group.min_size)]
        if late:
            _delete_instances(work, name, late, "never registered as a node")
            for one in late:
                zone = _zone_of(work, one) or "placeholder"
                message = f"Removed unregistered node aws:///{zone}/{one}"
                work.event("DeleteUnregistered", clusterstate.STATUS, message)


def _zone_of(work: Work, instance: str) -> str:
    known = (one for group in work.snapshot.groups for one in group.instances)
    return next((one.zone for one in known if one.id == instance), "")


def _remove_failed(work: Work) -> None:
    """Give up capacity that AWS cannot provide: the group's target falls to what exists."""
    for name, group in list(work.groups.items()):
        failed = [one.id for one in group.instances if one.failed]
        if failed:
            _delete_instances(work, name, failed, "AWS has no capacity")


def _delete_instances(work: Work, name: str, instances: Sequence[str], why: str) -> None:
    group = work.groups[name]
    if group.target <= group.min_size:
        work.notes.append(f"min size of {name} reached, nodes will not be deleted")
        return
    known = {one.id: one for one in group.instances}
    if any(known[one].placeholder for one in instances):
        actual = next(one for one in work.snapshot.groups if one.name == name)
        target = len(actual.instances)
        work.commands.append(SetDesired(group=name, old=group.target, new=target, why=why))
        group = provider.resized(group, target, work.now_ms)
    for one in instances:
        if not known[one].placeholder:
            work.commands.append(TerminateInstance(group=name, instance_id=one, why=why))
            group = replace(group, target=group.target - 1)
    work.groups[name] = group
    # Upstream schedules a refresh for its next loop after any deletion.
    work.asked_ms = None


def _sizes_are_plausible(work: Work) -> bool:
    """Stop the loop while a group has been smaller than its target for too long.

    Upstream tries to lower the target, which AWS's provider always refuses (placeholders count).
    """
    for name, wrong in work.wrong_sizes.items():
        overdue = wrong.since_ms + work.options.max_node_provision_time_ms < work.now_ms
        if overdue and wrong.current < wrong.expected:
            work.notes.append(f"failed to fix node group sizes: {name}")
            return False
    return True


def _scale(work: Work) -> None:
    counts = clusterstate.counted_upcoming(work)
    started = [node for node in work.snapshot.nodes if not _is_upcoming(work, node, counts)]
    for name in {node.name for node in work.snapshot.nodes} - {node.name for node in started}:
        work.ledger.remove_node(name)
    for group, count in counts.items():
        if group in work.templates:
            for index in range(count):
                template = work.templates[group]
                add_copy(template, f"{template.node.name}-upcoming-{index}", work.ledger)
    pods = _old_enough(work, _unschedulable(work))
    if (
        pods
        and work.options.max_nodes_total
        and (len(work.ready_nodes) >= work.options.max_nodes_total)
    ):
        work.event(
            "MaxNodesTotalReached", clusterstate.STATUS, "Max total nodes in cluster reached"
        )
    elif pods and _are_new(pods, work.now_ms):
        work.scale_down_disabled = True
    elif pods:
        scale_up(work, pods)
    if work.options.scale_down_enabled:
        scale_down(work, started)


def _is_upcoming(work: Work, node: Node, counts: dict[str, int]) -> bool:
    """A registered node that has not started is stood in for by its template."""
    group = work.group_of.get(node.name)
    return group in counts and group is not None and node.name in work.readiness[group].not_started


def _unschedulable(work: Work) -> list[Pod]:
    """Return pods that no node, real or upcoming, can take."""
    cutoff = work.options.expendable_pods_priority_cutoff
    waiting = [
        pod
        for pod in work.snapshot.pods
        if pod.node_name is None
        and pod.unschedulable_ms is not None
        and pod.deleting_ms is None
        and pod.spec.priority >= cutoff
    ]
    waiting += _from_drained_nodes(work)
    hopeless = _Hopeless(work)
    result = []
    states = list(work.ledger)
    for pod in sorted(waiting, key=lambda one: -one.spec.priority):
        node = _place(work, pod, states, hopeless)
        if node:
            work.hints[pod.key] = node
        elif not pod.is_daemon:
            result.append(pod)
    return result


class _Hopeless:
    """Pods that found no room, so that their like need not look.

    Upstream lets one failure speak for all equal pods of a controller. Where only filling nodes can have happened since, it speaks for
    every pod of the shape, which is the same answer sooner.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._shapes: set[Hashable] = set()
        self._owners: dict[str, list[PodSpec]] = {}

    def add(self, pod: Pod) -> None:
        """Remember that the pod fits nowhere."""
        if is_monotone(pod.spec):
            self._shapes.add(self._work.shapes.of(pod, self._work.ledger))
        elif pod.owner is not None:
            self._owners.setdefault(pod.owner.uid, []).append(pod.spec)

    def has(self, pod: Pod) -> bool:
        """Return whether a pod like this one fits nowhere."""
        if is_monotone(pod.spec):
            return self._work.shapes.of(pod, self._work.ledger) in self._shapes
        known = self._owners.get(pod.owner.uid, ()) if pod.owner is not None else ()
        return any(same_shape(one, pod.spec) for one in known)


def _place(work: Work, pod: Pod, states: list[NodeState], hopeless: _Hopeless) -> str:
    hint = work.before.hints.get(pod.key, "")
    if hint in work.ledger.nodes and fits(pod, work.ledger.nodes[hint], work.ledger):
        work.ledger.place(pod, hint)
        return hint
    if hopeless.has(pod):
        return ""
    found = first_fit(pod, states, work.cursor, work.ledger)
    if found is None:
        hopeless.add(pod)
        return ""
    work.cursor = found + 1
    work.ledger.place(pod, states[found].node.name)
    return states[found].node.name


def _from_drained_nodes(work: Work) -> list[Pod]:
    """Pods of nodes that are being drained will need a place too."""
    pods = []
    for deletion in work.snapshot.deletions:
        state = work.ledger.nodes.get(deletion.node)
        if deletion.drain and state is not None:
            pods += [
                replace(pod, node_name=None)
                for pod in state.pods.values()
                if pod.owner is not None and not pod.is_daemon and pod.deleting_ms is None
            ]
    return pods


def _old_enough(work: Work, pods: list[Pod]) -> list[Pod]:
    """Leave out pods younger than --new-pod-scale-up-delay or their own annotation."""
    return [
        pod
        for pod in pods
        if (delay_ms := _scale_up_delay_ms(work, pod)) == 0
        or pod.created_ms + delay_ms < work.now_ms
    ]


def _scale_up_delay_ms(work: Work, pod: Pod) -> int:
    own = tags.duration_ms(pod.spec.annotations.get(names.POD_SCALE_UP_DELAY), 0)
    return max(own, work.options.new_pod_scale_up_delay_ms)


def _are_new(pods: Sequence[Pod], now_ms: int) -> bool:
    """More pods may be on their way while the oldest is this young."""
    if min(pod.created_ms for pod in pods) + NEW_POD_MS > now_ms:
        return True
    oldest_gpu = min(
        (pod.created_ms for pod in pods if pod.spec.requests.get(NVIDIA_GPU)), default=None
    )
    return oldest_gpu is not None and oldest_gpu + NEW_GPU_POD_MS > now_ms


def _decision(work: Work) -> Decision:
    return Decision(
        commands=tuple(work.commands),
        refusals=tuple(work.refusals),
        events=tuple(work.events),
        tied=tuple(work.tied),
        scaled_up=work.scaled_up,
        tainted=work.tainted,
        notes=tuple(work.notes),
    )
