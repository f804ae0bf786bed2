"""The engine: runs a stack's tasks as their dependencies allow, and says what happened.

Why it exists: creating, updating, rolling back and deleting are the same thing with other tasks. Nothing here waits: a
task makes its call and a timer looks again later. What follows when all tasks are over is ``phases``' business.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from lowtide.local.aws import faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.history import resource_says, why
from lowtide.local.aws.cloudformation.lookups import living, made, scope_of, state_of
from lowtide.local.aws.cloudformation.records import SERVICE, Resource, Run, Stack, Task
from lowtide.local.aws.cloudformation.replacing import is_replaced
from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work, is_absent
from lowtide.local.aws.cloudformation.resources.table import kind_of
from lowtide.local.aws.cloudformation.schemas import refusal, typed, violations
from lowtide.local.aws.cloudformation.tagging import tags_for
from lowtide.local.aws.cloudformation.template.intrinsics import evaluate
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.errors import AwsError

_log = logging.getLogger(__name__)

#: How long a resource may take before CloudFormation gives up, in AWS's time.
_LONGEST_WAIT_S = 7200.0
#: Deleting is tried again while these say that something still hangs on the resource.
_RETRIED = ("DependencyViolation", "DeleteConflict", "InUse", "ResourceLimitExceeded")
_RETRY_FOR_S = 120.0


#: What follows when a run is over, by its kind.
Ending = Callable[[Box, Stack, Run], None]
#: Runs in which one failure stops what has not begun.
_FORWARD = frozenset({"create", "update"})


def begin(box: Box, stack: Stack, kind: str, tasks: list[Task], *, reason: str = "") -> None:
    """Start a run of tasks; it goes on by timers. With a ``reason`` it has failed before it starts."""
    stack.runs += 1
    stack.run = Run(
        kind=kind,
        number=stack.runs,
        tasks={task.name: task for task in tasks},
        is_failed=bool(reason),
        reason=reason,
        keeps_going=stack.on_failure == "DO_NOTHING",
    )
    _later(box, stack, "advance", 0.0)


def _later(box: Box, stack: Stack, timer: str, seconds: float, **more: Any) -> None:
    box.after(seconds, SERVICE, timer, stack_id=stack.id, run=stack.runs, **more)


def running(box: Box, stack_id: str, run: int) -> Stack | None:
    """Return the stack whose run a timer belongs to, or None where it is over."""
    stack = state_of(box).stacks.get(stack_id)
    return (
        stack if stack is not None and stack.run is not None and stack.run.number == run else None
    )


def advance(box: Box, stack_id: str, run: int, *, endings: Mapping[str, Ending]) -> None:
    """Start every task that can start; where none is left, go on to what follows."""
    stack = running(box, stack_id, run)
    if stack is None or stack.run is None:
        return
    current = stack.run
    if current.is_failed and _stops(current):
        for task in current.those("waiting"):
            task.state = "cancelled"
    # What is over at once (an unchanged resource, one that was never made) frees others in the same breath.
    while free := [task for task in current.those("waiting") if _is_free(current, task)]:
        for task in free:
            if _is_free(current, task):  # one beside it may have failed since
                task.state = "running"
                _attempt(box, stack, task, _STARTS[task.verb])
    if not current.those("running"):
        for task in current.those("waiting"):
            task.state = "cancelled"
        stack.run = None
        endings[current.kind](box, stack, current)


def _stops(run: Run) -> bool:
    return run.kind in _FORWARD and (not run.keeps_going or bool(run.reason))


def _is_free(run: Run, task: Task) -> bool:
    """Whether everything before a task is done, and nothing that failed stops it."""
    if run.is_failed and _stops(run):
        return False
    return all(run.tasks[name].state == "done" for name in task.needs if name in run.tasks)


def look(box: Box, stack_id: str, run: int, task: str) -> None:
    """See whether a running task is over."""
    stack = running(box, stack_id, run)
    if stack is None or stack.run is None or stack.run.tasks[task].state != "running":
        return
    found = stack.run.tasks[task]
    _attempt(box, stack, found, _look_deletion if found.verb == "delete" else _look_change)


def _attempt(box: Box, stack: Stack, task: Task, do: Callable[[Box, Stack, Task], None]) -> None:
    """Do something of a task; what goes wrong becomes the resource's reason."""
    try:
        do(box, stack, task)
    except AwsError as error:
        _fail(box, stack, task, why(error, _service_of(task.resource.type, error)))
    except Exception:  # noqa: BLE001
        # A defect of ours must not let a stack hang for ever; it is in the box's log.
        _log.exception("%s of %s in stack %s", task.verb, task.resource.logical_id, stack.name)
        broken = AwsError("InternalFailure", "Internal Failure", status=500)
        _fail(box, stack, task, why(broken, _service_of(task.resource.type, broken)))


def _service_of(resource_type: str, error: AwsError) -> str:
    if error.code == "ValidationError" and "AutoScaling" not in resource_type:
        return SERVICE
    return resource_type.split("::")[1].lower()


def _fail(box: Box, stack: Stack, task: Task, reason: str) -> None:
    verb = {"revert": "update"}.get(task.verb, task.verb).upper()
    task.state = "failed"
    resource_says(box, stack, task.resource, f"{verb}_FAILED", reason)
    if stack.run is None:
        return
    stack.run.is_failed = True
    if _stops(stack.run):
        _cancel_others(box, stack, stack.run)
    _later(box, stack, "advance", 0.0)


def _cancel_others(box: Box, stack: Stack, run: Run) -> None:
    for other in run.those("running"):
        other.state = "cancelled"
        said = "update" if other.verb == "update" else "creation"
        status = f"{other.verb.upper()}_FAILED"
        resource_says(box, stack, other.resource, status, f"Resource {said} cancelled")


def _finish(box: Box, stack: Stack, task: Task, status: str) -> None:
    task.state = "done"
    resource_says(box, stack, task.resource, status)
    _later(box, stack, "advance", 0.0)


def cancel(box: Box, stack: Stack, reason: str) -> None:
    """Let a run fail for a reason that is no resource's fault."""
    if stack.run is not None:
        stack.run.is_failed, stack.run.reason = True, reason
        _cancel_others(box, stack, stack.run)
        _later(box, stack, "advance", 0.0)


# Creating and updating


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


def _start_creation(box: Box, stack: Stack, task: Task) -> None:
    resource = task.resource
    stack.resources[resource.logical_id] = resource
    resource_says(box, stack, resource, "CREATE_IN_PROGRESS")
    resource.properties, resource.tags = _desired(box, stack, resource.logical_id)
    _create(box, stack, task, "CREATE_IN_PROGRESS", "Resource creation Initiated")


def _create(box: Box, stack: Stack, task: Task, status: str, reason: str) -> None:
    resource = task.resource
    kind = kind_of(resource.type)
    _refuse_by_fault(box, resource)
    resource.physical_id = kind.create(_work(box, stack, task))
    task.steps = list(kind.follow(_work(box, stack, task)))
    resource_says(box, stack, resource, status, reason)
    _make_steps(box, stack, task)
    _look_later(box, stack, task, kind)


def _refuse_by_fault(box: Box, resource: Resource) -> None:
    if faults.SERVICE.name in box.services:
        said = faults.failing_resource(box, resource.type, resource.logical_id)
        if said is not None:
            raise invalid(said)


def _start_update(box: Box, stack: Stack, task: Task) -> None:
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
        _create(box, stack, task, "UPDATE_IN_PROGRESS", "Resource creation Initiated")
        return
    new.physical_id, new.attributes = old.physical_id, old.attributes
    task.resource = new
    stack.resources[old.logical_id] = new
    is_retagged = tags != old.tags and kind_of(old.type).retag is not None
    if properties == old.properties and not is_retagged and old.status != "UPDATE_FAILED":
        # It says nothing, and others that wait for it go on.
        new.status, new.reason, new.at = old.status, old.reason, old.at
        task.state = "done"
        _later(box, stack, "advance", 0.0)
        return
    resource_says(box, stack, new, "UPDATE_IN_PROGRESS")
    _refuse_by_fault(box, new)
    _change(box, stack, task, old)


def _start_revert(box: Box, stack: Stack, task: Task) -> None:
    """Turn a resource back to what it was; ``task.resource`` is what it was."""
    target = task.resource
    current = stack.resources[target.logical_id]
    target.attributes = current.attributes
    task.before = current
    stack.resources[target.logical_id] = target
    resource_says(box, stack, target, "UPDATE_IN_PROGRESS")
    _change(box, stack, task, current)


def _change(box: Box, stack: Stack, task: Task, old: Resource) -> None:
    resource = task.resource
    kind = kind_of(resource.type)
    work = _work(box, stack, task)
    steps: list[Step] = []
    if resource.properties != old.properties:
        steps += kind.update(work, old.properties)
    if kind.retag is not None:
        added = {key: one for key, one in resource.tags.items() if old.tags.get(key) != one}
        removed = [key for key in old.tags if key not in resource.tags]
        steps += kind.retag(work, added, removed)
    task.steps = steps
    _make_steps(box, stack, task)
    _look_later(box, stack, task, kind)


def _make_steps(box: Box, stack: Stack, task: Task) -> None:
    """Make the calls that are left as far as the resource is ready for them."""
    work = _work(box, stack, task)
    kind = kind_of(task.resource.type)
    while task.steps and kind.done(work):
        work.run(task.steps[0])
        task.steps.pop(0)
        task.calls_made += 1


def _look_later(box: Box, stack: Stack, task: Task, kind: Kind, *, again: bool = False) -> None:
    delays = box.settings.delays
    seconds = float(delays.resource_s if again else getattr(delays, kind.delay))
    task.waited_s += seconds
    _later(box, stack, "look", seconds, task=task.name)


def _look_change(box: Box, stack: Stack, task: Task) -> None:
    resource, kind = task.resource, kind_of(task.resource.type)
    _make_steps(box, stack, task)
    work = _work(box, stack, task)
    if task.steps or not kind.done(work):
        if task.waited_s > _LONGEST_WAIT_S:
            raise AwsError("NotStabilized", "Exceeded attempts to wait")
        _look_later(box, stack, task, kind, again=True)
        return
    resource.attributes = dict(kind.read(work))
    _finish(box, stack, task, "CREATE_COMPLETE" if task.verb == "create" else "UPDATE_COMPLETE")


def _work(box: Box, stack: Stack, task: Task) -> Work:
    resource = task.resource
    is_new = task.verb == "create" or (task.verb == "update" and task.before is not None)
    return Work(
        box=box,
        region=stack.region,
        # As whoever made the stack, but a call between services: AWS's CloudFormation waits out a throttling by itself.
        caller=dataclasses.replace(stack.caller, access_key_id=""),
        stack_name=stack.name,
        logical_id=resource.logical_id,
        properties=resource.properties,
        tags=resource.tags,
        physical_id=resource.physical_id,
        waited_s=task.waited_s,
        update_policy=resource.update_policy,
        is_new=is_new,
    )


# Deleting


def _start_deletion(box: Box, stack: Stack, task: Task) -> None:
    resource = task.resource
    if not resource.physical_id:
        _finish(box, stack, task, "DELETE_COMPLETE")
        return
    resource_says(box, stack, resource, "DELETE_IN_PROGRESS")
    kind = kind_of(resource.type)
    _delete(box, stack, task, kind)
    if task.state == "running":
        _look_later(box, stack, task, kind)


def _delete(box: Box, stack: Stack, task: Task, kind: Kind) -> None:
    """Ask for the deletion until it is taken; what is not there any more is deleted.

    What is still being made or changed refuses longer than what is in use.
    """
    work = _work(box, stack, task)
    try:
        kind.delete(work)
    except AwsError as error:
        if is_absent(error):
            _finish(box, stack, task, "DELETE_COMPLETE")
            return
        longest = _RETRY_FOR_S if _is_settled(kind, work) else _LONGEST_WAIT_S
        if task.waited_s >= longest or not any(one in error.code for one in _RETRIED):
            raise
    else:
        task.is_asked = True


def _is_settled(kind: Kind, work: Work) -> bool:
    try:
        return kind.done(work)
    except AwsError:
        return True


def _look_deletion(box: Box, stack: Stack, task: Task) -> None:
    kind = kind_of(task.resource.type)
    if not task.is_asked:
        _delete(box, stack, task, kind)
        if task.state == "running":
            _look_later(box, stack, task, kind, again=True)
        return
    try:
        gone = kind.gone(_work(box, stack, task))
    except AwsError as error:
        if not is_absent(error):
            raise
        gone = True
    if gone:
        _finish(box, stack, task, "DELETE_COMPLETE")
    elif task.waited_s > _LONGEST_WAIT_S:
        raise AwsError("NotStabilized", "Exceeded attempts to wait")
    else:
        _look_later(box, stack, task, kind, again=True)


_STARTS: Mapping[str, Callable[[Box, Stack, Task], None]] = {
    "create": _start_creation,
    "update": _start_update,
    "revert": _start_revert,
    "delete": _start_deletion,
}
