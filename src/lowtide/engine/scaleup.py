"""Scale-up: which group grows by how many nodes for the pods that fit nowhere.

core/scaleup/orchestrator at 1.36.1. One winner a loop; every refusal names the group and the reason.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from lowtide.engine import clusterstate
from lowtide.engine.balancing import similar_groups, split
from lowtide.engine.choice import pick, shuffled
from lowtide.engine.equivalence import PodGroup, pod_groups
from lowtide.engine.estimator import add_copy, estimate
from lowtide.engine.expanders import Option, best_options
from lowtide.engine.filters import refuse
from lowtide.engine.provider import KnownGroup, resized
from lowtide.engine.work import Work
from lowtide.model.decision import Refusal, SetDesired
from lowtide.model.kube import Pod

BACKED_OFF = "in backoff after failed scale-up"
MAX_REACHED = "max node group size reached"
NOT_READY = "not ready for scale-up"


def scale_up(work: Work, pods: Sequence[Pod]) -> None:
    """Grow the best group, or its similar ones, for these pods; say why for the rest."""
    groups = pod_groups(pods)
    skipped = {name: why for name in work.groups if (why := _skip_reason(work, name))}
    order = _in_random_order(work, [name for name in work.groups if name not in skipped])
    helped = {name: _schedulable(work, name, groups) for name in order}
    options = [one for name in order if (one := _option(work, name, helped))]
    if options:
        _grow(work, options, helped)
    _report(work, groups, skipped)


def _skip_reason(work: Work, name: str) -> str:
    group = work.groups[name]
    if not clusterstate.is_group_healthy(work, name):
        return NOT_READY
    if clusterstate.is_backed_off(work, name):
        return BACKED_OFF
    if group.target >= group.max_size:
        return MAX_REACHED
    if name not in work.templates:
        return NOT_READY
    return ""


def _schedulable(work: Work, name: str, groups: Sequence[PodGroup]) -> list[PodGroup]:
    """Return the pod groups whose exemplar fits a fresh node; note the reasons of the others."""
    mark = work.ledger.mark()
    template = work.templates[name]
    state = add_copy(template, template.node.name, work.ledger)
    fitting = []
    answers: dict[Hashable, tuple[str, ...]] = {}
    for group in groups:
        shape = work.shapes.of(group.exemplar, work.ledger)
        if shape not in answers:
            answers[shape] = refuse(group.exemplar, state, work.ledger)
        reasons = answers[shape]
        if reasons:
            group.refused[name] = reasons
        else:
            group.schedulable = True
            fitting.append(group)
    work.ledger.undo(mark)
    return fitting


def _option(work: Work, name: str, helped: dict[str, list[PodGroup]]) -> Option | None:
    groups = helped[name]
    if not groups:
        return None
    similar = [work.groups[one] for one in _similar(work, name, helped)]
    nodes, pods = estimate(
        groups, work.templates[name], work.ledger, limit=_node_limit(work, name, similar)
    )
    if not nodes or not pods:
        return None
    return Option(group=name, nodes=nodes, pods=tuple(pods), template=work.templates[name])


def _similar(work: Work, name: str, helped: dict[str, list[PodGroup]]) -> list[str]:
    """Return similar groups that are safe to grow and take every pod group that this one takes."""
    wanted = {id(one) for one in helped[name]}
    return [
        other
        for other in similar_groups(name, work.templates, work.options)
        if other in work.groups
        and clusterstate.is_group_healthy(work, other)
        and not clusterstate.is_backed_off(work, other)
        and wanted <= {id(one) for one in helped.get(other, ())}
    ]


def _node_limit(work: Work, name: str, similar: Sequence[KnownGroup]) -> int:
    """Return the cap on new nodes: room of the groups, nodes in the cluster, nodes per scale-up."""
    room = sum(max(0, one.max_size - one.target) for one in (work.groups[name], *similar))
    limits = [room if room > 0 else -1]
    if work.options.max_nodes_total:
        left = work.options.max_nodes_total - len(work.ledger.nodes)
        limits.append(left if left > 0 else -1)
    if work.options.max_nodes_per_scaleup:
        limits.append(work.options.max_nodes_per_scaleup)
    return min(limits) if min(limits) > 0 else -1


def _grow(work: Work, options: list[Option], helped: dict[str, list[PodGroup]]) -> None:
    tied = best_options(options, work.options.expander, work.snapshot.priorities)
    names = [one.group for one in tied]
    if len(names) > 1:
        work.tied.append(tuple(sorted(names)))
    chosen = pick(names, seed=work.options.seed, now_ms=work.now_ms, what="expander")
    best = next(one for one in tied if one.group == chosen)
    nodes = best.nodes
    if work.options.max_nodes_total:
        nodes = min(nodes, work.options.max_nodes_total - len(work.ledger.nodes))
    if nodes < 1:
        return
    similar = _similar(work, chosen, helped)
    plan = split([work.groups[one] for one in (chosen, *_in_random_order(work, similar))], nodes)
    why = _why(work, options, best, plan)
    pods = tuple(pod.key for pod in best.pods)
    for group, target in plan:
        work.commands.append(
            SetDesired(
                group=group.name,
                old=group.target,
                new=target,
                max_size=group.max_size,
                pods=pods,
                why=why,
            )
        )
        work.event(
            "ScaledUpGroup",
            clusterstate.STATUS,
            f"Scale-up: setting group {group.name} size to {target} instead of {group.target} "
            f"(max: {group.max_size})",
        )
        work.event(
            "ScaledUpGroup",
            clusterstate.STATUS,
            f"Scale-up: group {group.name} size set to {target} instead of {group.target} "
            f"(max: {group.max_size})",
        )
        clusterstate.register_scale_up(work, group.name, target - group.target)
        work.groups[group.name] = resized(group, target, work.now_ms)
        work.added[group.name] = work.now_ms
    work.scaled_up = True
    work.scaled_up_ms = work.now_ms


def _in_random_order(work: Work, names: list[str]) -> list[str]:
    if not names:
        return []
    return shuffled(names, seed=work.options.seed, now_ms=work.now_ms, what="groups")


def _why(
    work: Work, options: list[Option], best: Option, plan: list[tuple[KnownGroup, int]]
) -> str:
    """Say in a sentence what was compared."""
    pods = "1 pod fits" if len(best.pods) == 1 else f"{len(best.pods)} pods fit"
    nodes = "1 new node" if best.nodes == 1 else f"{best.nodes} new nodes"
    said = f"{pods} on {nodes} of {best.group}"
    others = sorted(one.group for one in options if one.group != best.group)
    if others:
        said += f"; {'+'.join(work.options.expander)} chose it before {', '.join(others)}"
    if len(plan) > 1:
        said += f"; balanced over {len(plan)} similar groups"
    return said


def _report(work: Work, groups: Sequence[PodGroup], skipped: dict[str, str]) -> None:
    """Say why no group helps, once for all pods with the same reasons."""
    alike: dict[tuple[tuple[str, tuple[str, ...]], ...], list[str]] = {}
    for group in groups:
        if not group.schedulable:
            reasons = {**group.refused, **{name: (why,) for name, why in skipped.items()}}
            pods = alike.setdefault(tuple(sorted(reasons.items())), [])
            pods.extend(pod.key for pod in group.pods)
    work.refusals.extend(
        Refusal(pods=tuple(pods), scope="group", subject=name, reasons=why)
        for reasons_of_all, pods in alike.items()
        for name, why in reasons_of_all
    )
