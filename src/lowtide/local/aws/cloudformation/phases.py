"""What a stack goes through: which run begins when, and what follows when it is over.

Why it exists: the statuses of a stack are a small machine of their own (user guide, "Understand CloudFormation stack
statuses" and "Choose how to handle failures when provisioning resources"); the engine knows only runs of tasks.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from contextlib import suppress

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.engine import Ending, begin, cancel, running
from lowtide.local.aws.cloudformation.history import stack_says
from lowtide.local.aws.cloudformation.outputs import exports_in_use, imports_of, outputs_of
from lowtide.local.aws.cloudformation.planning import (
    as_created,
    as_replaced,
    changing,
    deleting,
    failed_before,
    removed,
    reverting,
)
from lowtide.local.aws.cloudformation.records import SERVICE, Resource, Run, Stack, Task, Wanted
from lowtide.local.aws.errors import AwsError

_log = logging.getLogger(__name__)

USER = "User Initiated"
_MINUTE_S = 60.0


def begin_creation(box: Box, stack: Stack) -> None:
    """Make a new stack's resources."""
    stack_says(box, stack, "CREATE_IN_PROGRESS", USER)
    _begin_change(box, stack, "create")
    if stack.timeout_minutes is not None:
        seconds = stack.timeout_minutes * _MINUTE_S
        box.after(seconds, SERVICE, "expire", stack_id=stack.id, run=stack.runs)


def begin_update(box: Box, stack: Stack, wanted: Wanted) -> None:
    """Make a stack what is wanted now; what it was is kept until that is over."""
    if stack.before is None:
        stack.before = stack.wanted
        stack.old = {name: dataclasses.replace(one) for name, one in stack.resources.items()}
    stack.wanted, stack.updated = wanted, box.now()
    stack_says(box, stack, "UPDATE_IN_PROGRESS", USER)
    _begin_change(box, stack, "update")


def _begin_change(box: Box, stack: Stack, kind: str) -> None:
    tasks: list[Task] = []
    reason = ""
    try:
        stack.imports |= imports_of(box, stack, stack.wanted)
        stack.leftovers += [as_created(one) for one in failed_before(stack)]
        tasks = changing(box, stack)
    except AwsError as error:
        reason = error.message
    begin(box, stack, kind, tasks, reason=reason)


def begin_deletion(
    box: Box, stack: Stack, *, kept: frozenset[str] = frozenset(), is_forced: bool = False
) -> None:
    """Delete a stack; a forced one goes even where its resources stay."""
    before = stack.status
    stack_says(box, stack, "DELETE_IN_PROGRESS", USER)
    why = exports_in_use(box, stack)
    if why:
        stack_says(box, stack, before, why)
        return
    stack.is_forced = is_forced
    _begin_deletion(box, stack, kept)


def _begin_deletion(box: Box, stack: Stack, kept: frozenset[str]) -> None:
    there = [one for one in (*stack.resources.values(), *stack.leftovers) if not _is_gone(one)]
    begin(box, stack, "delete", deleting(box, stack, there, kept=kept))


def _is_gone(resource: Resource) -> bool:
    return resource.status in {"DELETE_COMPLETE", "DELETE_SKIPPED"}


def begin_creation_rollback(box: Box, stack: Stack, reason: str) -> None:
    """Take back a creation."""
    stack_says(box, stack, "ROLLBACK_IN_PROGRESS", reason)
    those = [
        as_created(one, is_retained=not stack.deletes_retained)
        for one in stack.resources.values()
        if not _is_gone(one)
    ]
    begin(box, stack, "create-rollback", deleting(box, stack, those))


def begin_update_rollback(
    box: Box,
    stack: Stack,
    reason: str,
    run: Run | None = None,
    *,
    skipped: frozenset[str] = frozenset(),
) -> None:
    """Make a stack what it was before an update; ``run`` is the update that failed."""
    stack_says(box, stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
    assert stack.before is not None
    stack.wanted = stack.before
    begin(box, stack, "update-rollback", reverting(box, stack, run, skipped=skipped))


def cancel_update(box: Box, stack: Stack) -> None:
    """Let an update fail because its user says so."""
    cancel(box, stack, USER)


def expire(box: Box, stack_id: str, run: int) -> None:
    """Let a creation fail that takes longer than its caller wanted to wait."""
    stack = running(box, stack_id, run)
    if stack is not None:
        cancel(box, stack, "Stack creation time exceeded the specified timeout.")


# What follows


def _created(box: Box, stack: Stack, run: Run) -> None:
    why = _failure(run) or _take_outputs(box, stack)
    if not why:
        _end(box, stack, "CREATE_COMPLETE")
    elif stack.on_failure == "DO_NOTHING":
        _end(box, stack, "CREATE_FAILED", why)
    elif stack.on_failure == "DELETE":
        stack_says(box, stack, "DELETE_IN_PROGRESS", f"{why} Delete requested by user.")
        _begin_deletion(box, stack, frozenset())
    else:
        begin_creation_rollback(box, stack, f"{why} Rollback requested by user.")


def _failure(run: Run) -> str:
    """Return why a run failed, in CloudFormation's words, or nothing where it did not."""
    if not run.is_failed:
        return ""
    if run.reason:
        return run.reason
    told = []
    for verb in ("create", "update", "delete"):
        names = [
            task.resource.logical_id
            for task in run.tasks.values()
            if task.resource.status == f"{verb.upper()}_FAILED"
            and task.state in {"failed", "cancelled"}
        ]
        if names:
            told.append(f"The following resource(s) failed to {verb}: [{', '.join(names)}].")
    return " ".join(told)


def _take_outputs(box: Box, stack: Stack) -> str:
    try:
        stack.outputs = outputs_of(box, stack)
        stack.imports = imports_of(box, stack, stack.wanted)
    except AwsError as error:
        return error.message
    except Exception:  # noqa: BLE001
        # A defect of ours must not let a stack hang for ever; it is in the box's log.
        _log.exception("outputs of stack %s", stack.name)
        return "Internal Failure"
    return ""


def _creation_taken_back(box: Box, stack: Stack, run: Run) -> None:
    stack.imports = frozenset()
    _end(box, stack, "ROLLBACK_FAILED" if run.is_failed else "ROLLBACK_COMPLETE", _failure(run))


def _deleted(box: Box, stack: Stack, run: Run) -> None:
    if run.is_failed and not stack.is_forced:
        _end(box, stack, "DELETE_FAILED", _failure(run))
        return
    stack.deleted = box.now()
    _end(box, stack, "DELETE_COMPLETE")


def _updated(box: Box, stack: Stack, run: Run) -> None:
    why = _failure(run) or _take_outputs(box, stack)
    replaced = [
        as_replaced(task.before)
        for task in run.those("done")
        if task.verb == "update" and task.before is not None
    ]
    stack.leftovers += replaced
    if not why:
        stack_says(box, stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        begin(box, stack, "cleanup", deleting(box, stack, [*stack.leftovers, *removed(box, stack)]))
    elif stack.on_failure == "DO_NOTHING" and run.reason != USER:
        _put_back_failed(stack, run)
        _end(box, stack, "UPDATE_FAILED", why)
    else:
        begin_update_rollback(box, stack, why, run)


def _put_back_failed(stack: Stack, run: Run) -> None:
    """Let a failed resource be what it was, so that the next update tries it again."""
    for task in run.those("failed"):
        name = task.resource.logical_id
        # One that an earlier failed update made is in no older state of the stack.
        old = task.before or stack.old.get(name)
        if task.verb != "update" or old is None:
            continue
        if task.before is not None and task.resource.physical_id:
            stack.leftovers.append(as_created(task.resource))
        status, reason = task.resource.status, task.resource.reason
        stack.resources[name] = dataclasses.replace(old, status=status, reason=reason)


def _cleaned(box: Box, stack: Stack, run: Run) -> None:
    said = "Update successful. One or more resources could not be deleted." if run.is_failed else ""
    _settle(stack)
    _end(box, stack, "UPDATE_COMPLETE", said)


def _update_taken_back(box: Box, stack: Stack, run: Run) -> None:
    for task in run.those("failed"):
        # The next try starts from what the resource is, which is not what it was to be.
        if task.before is not None:
            name, status = task.resource.logical_id, task.resource.status
            reason = task.resource.reason
            stack.resources[name] = dataclasses.replace(task.before, status=status, reason=reason)
    if run.is_failed:
        _end(box, stack, "UPDATE_ROLLBACK_FAILED", _failure(run))
        return
    stack_says(box, stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    begin(box, stack, "rollback-cleanup", deleting(box, stack, stack.leftovers))


def _rollback_cleaned(box: Box, stack: Stack, run: Run) -> None:
    said = "One or more resources could not be deleted." if run.is_failed else ""
    with suppress(AwsError):  # what it imported before is still held by the larger set
        stack.imports = imports_of(box, stack, stack.wanted)
    _settle(stack)
    _end(box, stack, "UPDATE_ROLLBACK_COMPLETE", said)


def _settle(stack: Stack) -> None:
    """Forget what an update was to go back to, and what left the stack by it."""
    stack.before, stack.old, stack.leftovers = None, {}, []
    declared = stack.wanted.template["Resources"]
    stack.resources = {
        name: one
        for name, one in stack.resources.items()
        if name in declared and not one.status.startswith("DELETE_")
    }


def _end(box: Box, stack: Stack, status: str, reason: str = "") -> None:
    stack_says(box, stack, status, reason)
    done = status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    for one in stack.change_sets.values():
        if one.execution == "EXECUTE_IN_PROGRESS":
            one.execution = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"


ENDINGS: Mapping[str, Ending] = {
    "create": _created,
    "create-rollback": _creation_taken_back,
    "delete": _deleted,
    "update": _updated,
    "cleanup": _cleaned,
    "update-rollback": _update_taken_back,
    "rollback-cleanup": _rollback_cleaned,
}
