"""Which nodes are there, which are awaited, which groups failed (clusterstate at 1.36.1).

Upcoming nodes are counted only for a group with a scale-up request of the autoscaler's own that is not
backed off; capacity that AWS replaces by itself is therefore not seen.
"""

from __future__ import annotations

from lowtide.engine.memory import Backoff, ScaleUpRequest, WrongSize
from lowtide.engine.work import Readiness, Work, is_ready
from lowtide.model import names
from lowtide.model.go_values import format_duration

STATUS = "ConfigMap/cluster-autoscaler-status"
#: What the AWS provider says of placeholders that a failed scaling activity leaves (auto_scaling_groups.go at 1.36.1).
_NO_CAPACITY = "placeholder-cannot-be-fulfilled"
_NO_CAPACITY_MESSAGE = "AWS cannot provision any more instances for this node group"


def update(work: Work) -> None:
    """Bring readiness, requests, back-offs and wrong sizes up to date."""
    observe(work)
    _update_requests(work)
    _handle_creation_errors(work)
    _update_wrong_sizes(work)


def observe(work: Work) -> None:
    """Sort the registered and the unregistered nodes by readiness."""
    _update_unregistered(work)
    _update_readiness(work)


def upcoming(work: Work, group: str) -> int:
    """Return how many nodes of the group are asked for and not yet ready (may be negative)."""
    readiness = work.readiness.get(group, _NONE)
    return work.groups[group].target - (
        len(readiness.ready) + len(readiness.unready) + len(readiness.long_unregistered)
    )


def counted_upcoming(work: Work) -> dict[str, int]:
    """Return upcoming nodes per group as the scale-up simulation counts them."""
    counts = {}
    for name in work.groups:
        count = upcoming(work, name)
        if count > 0 and name in work.requests and not is_backed_off(work, name):
            counts[name] = count
    return counts


def is_backed_off(work: Work, group: str) -> bool:
    """Return whether scale-up of the group is disabled after a failure."""
    backoff = work.backoffs.get(group)
    return backoff is not None and backoff.until_ms > work.now_ms


def is_healthy(work: Work) -> bool:
    """Return whether few enough nodes are unready for the autoscaler to act at all."""
    unready = len(work.total.unready)
    limit = work.options.max_total_unready_percentage / 100 * len(work.snapshot.nodes)
    return not (unready > work.options.ok_total_unready_count and unready > limit)


def is_group_healthy(work: Work, name: str) -> bool:
    """Return whether a group is not missing too many nodes that nobody accounts for."""
    group = work.groups[name]
    request = work.requests.get(name)
    increase = request.increase if request else 0
    readiness = work.readiness.get(name)
    if readiness is None:
        least = group.target - increase
        return group.target == 0 or (least == 0 and group.target > 0)
    least = group.target - len(readiness.long_unregistered) - increase
    missing = max(0, least - len(readiness.ready))
    present = len(readiness.ready) + len(readiness.unready) + len(readiness.not_started)
    limit = work.options.max_total_unready_percentage / 100 * present
    return not (missing > work.options.ok_total_unready_count and missing > limit)


def register_scale_up(work: Work, group: str, delta: int) -> None:
    """Remember that nodes were asked for (or will not come, with a negative delta)."""
    now_ms = work.now_ms
    expected_ms = now_ms + work.options.max_node_provision_time_ms
    request = work.requests.get(group)
    if request is None:
        if delta > 0:
            work.requests[group] = ScaleUpRequest(
                increase=delta, time_ms=now_ms, expected_by_ms=expected_ms
            )
        return
    if request.increase + delta <= 0:
        del work.requests[group]
        return
    work.requests[group] = ScaleUpRequest(
        increase=request.increase + delta,
        time_ms=now_ms if delta > 0 else request.time_ms,
        expected_by_ms=expected_ms if delta > 0 else request.expected_by_ms,
    )


def register_failure(work: Work, group: str, code: str, message: str) -> None:
    """Back the group off: 5 minutes, doubled by each later failure up to 30; code and message say why."""
    options = work.options
    duration = options.initial_backoff_ms
    known = work.backoffs.get(group)
    if known is not None:
        duration = known.duration_ms
        if known.until_ms < work.now_ms:
            duration = min(2 * duration, options.max_backoff_ms)
    work.backoffs[group] = Backoff(
        duration_ms=duration,
        until_ms=work.now_ms + duration,
        failed_ms=work.now_ms,
        code=code,
        message=message,
    )


def _update_unregistered(work: Work) -> None:
    registered = {node.instance_id for node in work.snapshot.nodes}
    work.unregistered_since = {
        instance.id: work.unregistered_since.get(instance.id, work.now_ms)
        for _, instance in work.instances()
        if instance.id not in registered and not instance.terminating and not instance.failed
    }


def _update_readiness(work: Work) -> None:
    startup_ms = work.options.max_node_startup_time_ms
    known = {instance.id: group.name for group, instance in work.instances()}
    for node in work.snapshot.nodes:
        group = known.get(node.instance_id)
        if group is not None:
            work.group_of[node.name] = group
        ready = is_ready(node)
        if ready:
            work.ready_nodes.add(node.name)
        # The instance is gone and we had asked for that: the node object only lags behind.
        deleted = group is None and any(one.key == names.TAINT_TO_BE_DELETED for one in node.taints)
        for readiness in _both(work, group):
            readiness.registered.append(node.name)
            if deleted:
                readiness.deleted.append(node.name)
            elif ready:
                readiness.ready.append(node.name)
            elif node.created_ms + startup_ms > work.now_ms:
                readiness.not_started.append(node.name)
            else:
                readiness.unready.append(node.name)
    provision_ms = work.options.max_node_provision_time_ms
    for instance, since in work.unregistered_since.items():
        late = since + provision_ms < work.now_ms
        for readiness in _both(work, known[instance]):
            (readiness.long_unregistered if late else readiness.unregistered).append(instance)


def _both(work: Work, group: str | None) -> tuple[Readiness, ...]:
    if group is None:
        return (work.total,)
    return (work.total, work.readiness.setdefault(group, Readiness()))


def _update_requests(work: Work) -> None:
    now_ms = work.now_ms
    work.backoffs = {
        name: one
        for name, one in work.backoffs.items()
        if one.failed_ms + work.options.backoff_reset_ms >= now_ms
    }
    for name, request in list(work.requests.items()):
        if name not in work.groups or upcoming(work, name) <= 0:
            del work.requests[name]
        elif request.expected_by_ms < now_ms:
            waited = format_duration(now_ms - request.time_ms)
            work.event(
                "ScaleUpTimedOut",
                STATUS,
                f"Nodes added to group {name} failed to register within {waited}",
            )
            message = f"Scale-up timed out for node group {name} after {waited}"
            register_failure(work, name, "timeout", message)
            # On AWS placeholders count as existing nodes, so upstream's attempt to lower the target
            # is always refused; the capacity goes later, as long unregistered.
            group = work.groups[name]
            work.event(
                "FailedToRevertScaleUp",
                STATUS,
                f"Failed to decrease target size for group {name} after scale-up timeout: attempt to "
                f"delete existing nodes targetSize:{group.target} delta:-{request.increase} "
                f"existingNodes: {len(group.instances)}",
            )
            del work.requests[name]


def _handle_creation_errors(work: Work) -> None:
    seen = work.failed_instances
    work.failed_instances = frozenset(
        instance.id for _, instance in work.instances() if instance.failed
    )
    for group in work.groups.values():
        fresh = [one.id for one in group.instances if one.failed and one.id not in seen]
        if fresh and group.name in work.requests and upcoming(work, group.name) > 0:
            work.event(
                "ScaleUpFailed",
                STATUS,
                f"Failed adding {len(fresh)} nodes to group {group.name} due to "
                f"OutOfResource.{_NO_CAPACITY}; source errors: {_NO_CAPACITY_MESSAGE}",
            )
            register_scale_up(work, group.name, -len(fresh))
            register_failure(work, group.name, _NO_CAPACITY, _NO_CAPACITY_MESSAGE)


def _update_wrong_sizes(work: Work) -> None:
    result = {}
    for group in work.groups.values():
        readiness = work.readiness.get(group.name)
        if readiness is None:
            continue
        current = len(readiness.registered)
        absent = len(readiness.unregistered) + len(readiness.long_unregistered)
        if current > group.target or current < group.target - absent:
            before = work.wrong_sizes.get(group.name)
            same = before and (before.current, before.expected) == (current, group.target)
            since_ms = before.since_ms if before and same else work.now_ms
            result[group.name] = WrongSize(
                current=current, expected=group.target, since_ms=since_ms
            )
    work.wrong_sizes = result


_NONE = Readiness()
