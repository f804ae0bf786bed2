"""Which tasks make a stack what it is to be, undo that, or delete it.

Why it exists: the order of things is a value that can be looked at, before the engine begins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.history import resource_says
from lowtide.local.aws.cloudformation.lookups import active, base_scope, is_living
from lowtide.local.aws.cloudformation.records import Resource, Run, Stack, Task
from lowtide.local.aws.cloudformation.template.dependencies import dependencies

#: Deletion policies under which a resource stays when it leaves its stack.
_KEEPS = frozenset({"Retain", "RetainExceptOnCreate"})


def changing(box: Box, stack: Stack) -> list[Task]:
    """Return the tasks that create or update every resource of the wanted template, as its dependencies say.

    Raises:
        AwsError: ValidationError where a condition cannot be evaluated.
    """
    declared = active(stack.wanted, base_scope(box, stack, stack.wanted))
    needs = dependencies(declared)
    return [_change(box, stack, name, one, needs[name]) for name, one in declared.items()]


def _change(
    box: Box, stack: Stack, name: str, declared: Mapping[str, Any], needs: frozenset[str]
) -> Task:
    old = stack.resources.get(name)
    parts: dict[str, Any] = {
        "needs": needs,
        "deletion_policy": declared.get("DeletionPolicy", "Delete"),
        "replace_policy": declared.get("UpdateReplacePolicy", "Delete"),
        "update_policy": declared.get("UpdatePolicy") or {},
        "metadata": declared.get("Metadata"),
    }
    if old is not None and is_living(old) and old.status != "CREATE_FAILED":
        resource = dataclasses.replace(old, **parts)
        return Task(name=name, verb="update", resource=resource, needs=needs)
    resource = Resource(logical_id=name, type=declared["Type"], at=box.now(), **parts)
    return Task(name=name, verb="create", resource=resource, needs=needs)


def failed_before(stack: Stack) -> list[Resource]:
    """Return what an earlier, preserved failure left behind and an update makes anew."""
    return [
        one for one in stack.resources.values() if one.status == "CREATE_FAILED" and one.physical_id
    ]


def removed(box: Box, stack: Stack) -> list[Resource]:
    """Return the resources that the wanted template does not have any more."""
    declared = active(stack.wanted, base_scope(box, stack, stack.wanted))
    return [
        one
        for name, one in stack.resources.items()
        if name not in declared and one.status not in {"DELETE_COMPLETE", "DELETE_SKIPPED"}
    ]


def deleting(
    box: Box, stack: Stack, those: Iterable[Resource], *, kept: frozenset[str] = frozenset()
) -> list[Task]:
    """Return the tasks that delete resources, each after those that needed it; kept ones are said to be skipped.

    ``kept`` are the logical ids of those that must stay whatever their policy says.
    """
    resources = {id(one): one for one in those}.values()
    gone = []
    for one in resources:
        if one.logical_id in kept or (one.physical_id and one.deletion_policy in _KEEPS):
            resource_says(box, stack, one, "DELETE_SKIPPED")
        else:
            gone.append(one)
    names = {id(one): f"{one.logical_id} {number}" for number, one in enumerate(gone)}
    return [
        Task(
            name=names[id(one)],
            verb="delete",
            resource=one,
            needs=frozenset(
                names[id(other)]
                for other in gone
                if one.logical_id in other.needs and other.logical_id != one.logical_id
            ),
        )
        for one in gone
    ]


def as_created(resource: Resource, *, is_retained: bool = True) -> Resource:
    """Prepare a resource whose own creation is taken back: RetainExceptOnCreate does not hold it then.

    ``is_retained`` False lets Retain not hold it either, as the request may say.
    """
    if resource.deletion_policy == "RetainExceptOnCreate" or not is_retained:
        resource.deletion_policy = "Delete"
    return resource


def as_replaced(resource: Resource) -> Resource:
    """Prepare a resource that another one took the place of: its UpdateReplacePolicy decides."""
    resource.deletion_policy = resource.replace_policy
    return resource


def reverting(
    box: Box, stack: Stack, run: Run | None, *, skipped: frozenset[str] = frozenset()
) -> list[Task]:
    """Return the tasks that make a stack what it was before its update; what needs no call is put back at once.

    New resources, and the new ones of replaced pairs, become the stack's leftovers.
    """
    stack.leftovers = [
        as_created(one, is_retained=not stack.deletes_retained)
        for name, one in stack.resources.items()
        if name not in stack.old
    ]
    tasks = []
    for name, old in stack.old.items():
        now, target = stack.resources.get(name), dataclasses.replace(old)
        if now is None or name in skipped or not _must_revert(now, old, run):
            stack.resources[name] = target
            if now is not None and now.physical_id not in {"", old.physical_id}:
                stack.leftovers.append(as_created(now))
            if name in skipped or (now is not None and _was_touched(now, old)):
                resource_says(box, stack, target, "UPDATE_COMPLETE")
        else:
            tasks.append(Task(name=name, verb="revert", resource=target, needs=old.needs))
    return tasks


def _was_touched(now: Resource, old: Resource) -> bool:
    return now.status == "UPDATE_FAILED" or _differs(now, old)


def _differs(now: Resource, old: Resource) -> bool:
    return (now.physical_id, now.properties, now.tags) != (
        old.physical_id,
        old.properties,
        old.tags,
    )


def _must_revert(now: Resource, old: Resource, run: Run | None) -> bool:
    if now.physical_id != old.physical_id or not _differs(now, old):
        return False
    task = None if run is None else run.tasks.get(now.logical_id)
    # Where the service refused the very first call nothing was changed.
    return task is None or not (task.state == "failed" and task.calls_made == 0)
