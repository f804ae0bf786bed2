"""What a run would do to a live account, and what it did, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lowtide.model.live_plan import (
    LivePlan,
    ObjectDiff,
    Progress,
    StackAction,
    StackPlan,
    UpResult,
)
from lowtide.model.plan import Plan
from lowtide.model.stacks import ResourceChange
from lowtide.report.wording import count_text, price_dates_text, printable, usd_text

UP_SCHEMA = "lowtide.up/v1"
_SIGNS = {"Add": "+", "Remove": "-", "Modify": "~", "Import": "+", "Dynamic": "?"}
_SHOWN = 12
_NONE = "no change"


def live_plan_text(plan: LivePlan) -> str:
    """Return what would be done, a line for each stack, and one below it for each resource that changes."""
    lines = [f"Account {plan.account}, {plan.region}, as {plan.caller}", ""]
    for one in plan.stacks:
        lines.append(f"  {one.name}: {_action_text(one)}")
        lines += (f"      {_change_text(change)}" for change in one.changes)
    lines += _warning_lines(plan)
    lines += _size_lines(plan)
    lines += _drift_lines(plan)
    lines += _object_lines(plan)
    return "\n".join(map(printable, lines))


def cost_text(plan: Plan) -> str:
    """Return what a cluster costs an hour, idle and at most, and below it how old the prices are."""
    cost = plan.cost
    idle, most = usd_text(cost.idle_usd_per_hour), usd_text(cost.worst_case_usd_per_hour)
    dated = price_dates_text(plan.cluster.price_dates, plan.today)
    costs = f"It costs {idle} an hour while idle, and {most} with every group at its maximum."
    return f"{costs}\n({dated})" if dated else costs


def _action_text(one: StackPlan) -> str:
    failed = f"; its last change failed: {one.why}" if one.why else ""
    return {
        StackAction.CREATE: f"create, {count_text(one.resources, 'resource')}",
        StackAction.CHANGE: f"change, {count_text(len(one.changes), 'resource')}{failed}",
        StackAction.NONE: f"{_NONE}{failed}",
        StackAction.REPAIR: f"delete and create again; it failed: {one.why}",
        StackAction.FOLLOW: f"is under way ({one.why}); waited for, then compared",
        StackAction.DELETE: "delete: the files have it no more",
    }[one.action]


def _change_text(change: ResourceChange) -> str:
    sign = _SIGNS.get(change.action, "?")
    words = {"True": "REPLACED", "Conditional": "may be REPLACED"}.get(change.replaces, "")
    words = "DELETED" if change.action == "Remove" else words
    properties = f": {', '.join(change.properties)}" if change.properties else ""
    return f"{sign} {change.logical_id} ({change.type}) {words}".rstrip() + properties


def _warning_lines(plan: LivePlan) -> Iterator[str]:
    drastic = [change for one in plan.stacks for change in one.changes if change.is_drastic]
    deleted = [one.name for one in plan.stacks if one.action is StackAction.DELETE]
    if drastic or deleted:
        yield ""
    if drastic:
        yield f"WARNING: {count_text(len(drastic), 'resource')} would or may be replaced or deleted, with what is in them"
    if deleted:
        yield f"WARNING: nodes of {', '.join(deleted)} end, whatever runs on them"


def _size_lines(plan: LivePlan) -> Iterator[str]:
    if not plan.sizes:
        return
    yield ""
    yield "Sizes that were changed beside the file, and are set back"
    for one in plan.sizes:
        (least, most), (wanted_least, wanted_most) = one.seen, one.wanted
        yield f"  {one.group}: {least} to {most} nodes -> {wanted_least} to {wanted_most}"


def _drift_lines(plan: LivePlan) -> Iterator[str]:
    if not plan.drift:
        return
    yield ""
    yield "Newer node images (nodes keep theirs; --refresh-amis takes the new ones for new nodes)"
    for one in plan.drift:
        yield f"  {one.stack}: {one.kept} -> {one.newer}"


def _object_lines(plan: LivePlan) -> Iterator[str]:
    if plan.objects_unknown:
        yield ""
        yield f"Kubernetes objects could not be compared: {plan.objects_unknown}"
    if not plan.objects:
        return
    yield ""
    yield count_text(len(plan.objects), "Kubernetes object differs", "Kubernetes objects differ")
    for one in plan.objects:
        yield f"  {'+' if one.is_new else '~'} {one.kind}/{one.name}{_paths_text(one)}"


def _paths_text(one: ObjectDiff) -> str:
    more = len(one.paths) - _SHOWN
    listed = ", ".join(one.paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f": {listed}" if listed else ""


def live_plan_json(plan: LivePlan) -> dict[str, Any]:
    """Return the same as a plain dict, ready for JSON."""
    return {
        "account": plan.account,
        "region": plan.region,
        "caller": plan.caller,
        "stacks": [
            {
                "name": one.name,
                "action": one.action.value,
                "why": one.why,
                "resources": one.resources,
                "changes": [_change_json(change) for change in one.changes],
            }
            for one in plan.stacks
        ],
        "sizes": [
            {"group": one.group, "seen": list(one.seen), "wanted": list(one.wanted)}
            for one in plan.sizes
        ],
        "image_drift": [
            {"stack": one.stack, "kept": one.kept, "newer": one.newer, "source": one.source}
            for one in plan.drift
        ],
        "objects": None
        if plan.objects is None
        else [
            {"kind": one.kind, "name": one.name, "new": one.is_new, "paths": list(one.paths)}
            for one in plan.objects
        ],
        "objects_unknown": plan.objects_unknown,
    }


def _change_json(change: ResourceChange) -> dict[str, Any]:
    return {
        "logical_id": change.logical_id,
        "type": change.type,
        "action": change.action,
        "replaces": change.replaces,
        "properties": list(change.properties),
    }


def progress_text(progress: Progress) -> str:
    """Return something that happened, on one line."""
    part = f" {progress.part}" if progress.part else ""
    reason = f" ({progress.reason})" if progress.reason else ""
    return printable(f"{progress.subject}{part}: {progress.status}{reason}")


def up_text(result: UpResult) -> str:
    """Return what a run did, for people."""
    return "\n".join(map(printable, _up_lines(result)))


def _up_lines(result: UpResult) -> Iterable[str]:
    yield f"{result.cluster} is up: Kubernetes {result.version} in {result.region}, account {result.account}"
    counts: dict[str, int] = {}
    for one in result.stacks:
        counts[one.done] = counts.get(one.done, 0) + 1
    stacks = ", ".join(f"{count} {done}" for done, count in counts.items())
    objects = count_text(len(result.objects), "Kubernetes object")
    yield f"Stacks: {stacks}. {_ready_text(result.nodes)}, {objects} applied."
    idle, most = usd_text(result.idle_usd_per_hour), usd_text(result.worst_case_usd_per_hour)
    yield f"Cost: {idle} an hour while idle, {most} with every group at its maximum."
    if result.kubeconfig:
        yield f"kubectl's context is in {result.kubeconfig}."
    for number, proof in enumerate(result.proofs, start=1):
        first = "from zero" if number == 1 else "from zero again"
        took = f"{proof.pod_seconds:.0f} s after the pod was created"
        yield f"Proof {number}: nvidia-smi ran on {proof.node}, {first}, {took}."
        yield from (f"  {row}" for row in proof.log.splitlines())
    yield from (f"NOTICE: {one}" for one in result.notes)


def _ready_text(nodes: int) -> str:
    """Return which nodes were waited for; others, which the autoscaler bought, may be there, too."""
    if not nodes:
        return "No node had to be ready"
    one, many = (f"that the groups start with {verb} ready" for verb in ("is", "are"))
    return f"The {count_text(nodes, f'node {one}', f'nodes {many}')}"


def up_json(result: UpResult, *, written: str) -> dict[str, Any]:
    """Return what a run did as a plain dict; ``written`` is the cluster file where the run wrote one."""
    return {
        "schema": UP_SCHEMA,
        "cluster": result.cluster,
        "region": result.region,
        "account": result.account,
        "version": result.version,
        "endpoint": result.endpoint,
        "stacks": [
            {"name": one.name, "done": one.done, "seconds": one.seconds} for one in result.stacks
        ],
        "nodes_ready": result.nodes,
        "objects": list(result.objects),
        "kubeconfig": result.kubeconfig or None,
        "cost_usd": {
            "idle_per_hour": round(result.idle_usd_per_hour, 6),
            "worst_case_per_hour": round(result.worst_case_usd_per_hour, 6),
        },
        "proofs": [
            {"node": one.node, "pod_seconds": one.pod_seconds, "log": one.log}
            for one in result.proofs
        ],
        "written": written or None,
        "notices": list(result.notes),
    }
