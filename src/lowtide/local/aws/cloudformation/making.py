"""Making, changing, replacing and turning back one resource.

Why it exists: each is a first call, further calls when the resource is ready for them, and a look whether it is what
it is to be.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lowtide.local.aws import faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.attempts import (
    Outcome,
    Over,
    Wait,
    first_wait,
    next_wait,
    work_of,
)
from lowtide.local.aws.cloudformation.history import resource_says
from lowtide.local.aws.cloudformation.lookups import living, made, scope_of
from lowtide.local.aws.cloudformation.records import Resource, Stack, Task
from lowtide.local.aws.cloudformation.replacing import is_replaced
from lowtide.local.aws.cloudformation.resources.kind import Step
from lowtide.local.aws.cloudformation.resources.table import kind_of
from lowtide.local.aws.cloudformation.schemas import refusal, typed, violations
from lowtide.local.aws.cloudformation.tagging import tags_for
from lowtide.local.aws.cloudformation.template.intrinsics import evaluate
from lowtide.local.aws.cloudformation.template.refused import invalid


def _desired(box: Box, stack: Stack, logical_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return properties and tags that the template wants of a resource.

    Raises:
        AwsError: ValidationError with the words of CloudFormation's validator.
    """
    declared = stack.wanted.template["Resources"][logical_id]
    scope = scope_of(box, stack, stack.wanted, made(living(stack)))
    properties = typed(declared["Type"], evaluate(declared.get("Properties", {}), scope) or {})
    wrong = violations(declared["Type"], properties)
    if wrong:
        raise invalid(refusal(logical_id, wrong))
    return properties, tags_for(stack, stack.wanted, logical_id, properties)


def start_creation(box: Box, stack: Stack, task: Task) -> Outcome:
    """Make a resource."""
    resource = task.resource
    stack.resources[resource.logical_id] = resource
    resource_says(box, stack, resource, "CREATE_IN_PROGRESS")
    resource.properties, resource.tags = _desired(box, stack, resource.logical_id)
    return _create(box, stack, task, "CREATE_IN_PROGRESS")


def _create(box: Box, stack: Stack, task: Task, status: str) -> Outcome:
    resource = task.resource
    kind = kind_of(resource.type)
    _refuse_by_fault(box, resource)
    resource.physical_id = kind.create(work_of(box, stack, task))
    task.steps = list(kind.follow(work_of(box, stack, task)))
    resource_says(box, stack, resource, status, "Resource creation Initiated")
    _make_steps(box, stack, task)
    return _delayed(box, resource, first_wait(box, kind))


def _refuse_by_fault(box: Box, resource: Resource) -> None:
    if faults.SERVICE.name in box.services:
        said = faults.failing_resource(box, resource.type, resource.logical_id)
        if said is not None:
            raise invalid(said)


def _delayed(box: Box, resource: Resource, wait: Wait) -> Wait:
    if faults.SERVICE.name not in box.services:
        return wait
    return Wait(wait.seconds + faults.delay_of_resource(box, resource.type, resource.logical_id))


def start_update(box: Box, stack: Stack, task: Task) -> Outcome:
    """Change, replace or leave a resource, as its properties want; nothing is said of one that stays as it is."""
    old = stack.resources[task.resource.logical_id]
    properties, tags = _desired(box, stack, old.logical_id)
    declared = stack.wanted.template["Resources"][old.logical_id]
    new = dataclasses.replace(task.resource, properties=properties, tags=tags)
    if declared["Type"] != old.type or is_replaced(old.type, old.properties, properties):
        task.resource, task.before = new, old
        stack.resources[old.logical_id] = new
        said = (
            "Requested update requires the creation of a new physical resource; hence creating one."
        )
        new.physical_id = old.physical_id
        resource_says(box, stack, new, "UPDATE_IN_PROGRESS", said)
        new.physical_id = ""
        return _create(box, stack, task, "UPDATE_IN_PROGRESS")
    new.physical_id, new.attributes = old.physical_id, old.attributes
    task.resource = new
    stack.resources[old.logical_id] = new
    is_retagged = tags != old.tags and kind_of(old.type).retag is not None
    if properties == old.properties and not is_retagged and old.status != "UPDATE_FAILED":
        # It says nothing, and others that wait for it go on.
        new.status, new.reason, new.at = old.status, old.reason, old.at
        return Over()
    resource_says(box, stack, new, "UPDATE_IN_PROGRESS")
    _refuse_by_fault(box, new)
    return _change(box, stack, task, old)


def start_revert(box: Box, stack: Stack, task: Task) -> Outcome:
    """Turn a resource back to what it was; ``task.resource`` is what it was."""
    target = task.resource
    current = stack.resources[target.logical_id]
    target.attributes = current.attributes
    task.before = current
    stack.resources[target.logical_id] = target
    resource_says(box, stack, target, "UPDATE_IN_PROGRESS")
    return _change(box, stack, task, current)


def _change(box: Box, stack: Stack, task: Task, old: Resource) -> Outcome:
    resource = task.resource
    kind = kind_of(resource.type)
    work = work_of(box, stack, task)
    steps: list[Step] = []
    if resource.properties != old.properties:
        steps += kind.update(work, old.properties)
    if kind.retag is not None:
        added = {key: one for key, one in resource.tags.items() if old.tags.get(key) != one}
        removed = [key for key in old.tags if key not in resource.tags]
        steps += kind.retag(work, added, removed)
    task.steps = steps
    _make_steps(box, stack, task)
    return _delayed(box, resource, first_wait(box, kind))


def _make_steps(box: Box, stack: Stack, task: Task) -> None:
    """Make the calls that are left as far as the resource is ready for them."""
    work = work_of(box, stack, task)
    kind = kind_of(task.resource.type)
    while task.steps and kind.done(work):
        work.run(task.steps[0])
        task.steps.pop(0)
        task.calls_made += 1


def look_change(box: Box, stack: Stack, task: Task) -> Outcome:
    """See whether a resource is what it is to be."""
    resource, kind = task.resource, kind_of(task.resource.type)
    _make_steps(box, stack, task)
    work = work_of(box, stack, task)
    if task.steps or not kind.done(work):
        return next_wait(box, task)
    resource.attributes = dict(kind.read(work))
    return Over("CREATE_COMPLETE" if task.verb == "create" else "UPDATE_COMPLETE")
