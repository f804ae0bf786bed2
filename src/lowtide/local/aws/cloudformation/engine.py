"""The engine: runs a stack's tasks as their dependencies allow, and says what happened.

Why it exists: creating, updating, rolling back and deleting are the same thing with other tasks. Nothing here waits: a
task makes its call and a timer looks again later. What follows when all tasks are over is ``phases``' business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.attempts import Outcome, Wait
from lowtide.local.aws.cloudformation.history import resource_says, why
from lowtide.local.aws.cloudformation.lookups import state_of
from lowtide.local.aws.cloudformation.making import (
    look_change,
    start_creation,
    start_revert,
    start_update,
)
from lowtide.local.aws.cloudformation.records import SERVICE, Run, Stack, Task
from lowtide.local.aws.cloudformation.removing import look_deletion, start_deletion
from lowtide.local.aws.errors import AwsError

_log = logging.getLogger(__name__)

#: What follows when a run is over, by its kind.
Ending = Callable[[Box, Stack, Run], None]
#: Something that is done for a task.
Attempt = Callable[[Box, Stack, Task], Outcome]
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
    _attempt(box, stack, found, look_deletion if found.verb == "delete" else look_change)


def _attempt(box: Box, stack: Stack, task: Task, do: Attempt) -> None:
    """Do something of a task; what goes wrong becomes the resource's reason."""
    try:
        outcome = do(box, stack, task)
    except AwsError as error:
        _fail(box, stack, task, why(error, _service_of(task.resource.type, error)))
    except Exception:  # noqa: BLE001
        # A defect of ours must not let a stack hang for ever; it is in the box's log.
        _log.exception("%s of %s in stack %s", task.verb, task.resource.logical_id, stack.name)
        broken = AwsError("InternalFailure", "Internal Failure", status=500)
        _fail(box, stack, task, why(broken, _service_of(task.resource.type, broken)))
    else:
        if isinstance(outcome, Wait):
            task.waited_s += outcome.seconds
            _later(box, stack, "look", outcome.seconds, task=task.name)
        else:
            _finish(box, stack, task, outcome.status)


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
    if status:
        resource_says(box, stack, task.resource, status)
    _later(box, stack, "advance", 0.0)


def cancel(box: Box, stack: Stack, reason: str) -> None:
    """Let a run fail for a reason that is no resource's fault."""
    if stack.run is not None:
        stack.run.is_failed, stack.run.reason = True, reason
        _cancel_others(box, stack, stack.run)
        _later(box, stack, "advance", 0.0)


_STARTS: Mapping[str, Attempt] = {
    "create": start_creation,
    "update": start_update,
    "revert": start_revert,
    "delete": start_deletion,
}
