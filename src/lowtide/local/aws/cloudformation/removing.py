"""Deleting one resource: asked for until the service takes it, then waited for until it is gone."""

from __future__ import annotations

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.attempts import (
    LONGEST_WAIT_S,
    Outcome,
    Over,
    first_wait,
    next_wait,
    work_of,
)
from lowtide.local.aws.cloudformation.history import resource_says
from lowtide.local.aws.cloudformation.records import Stack, Task
from lowtide.local.aws.cloudformation.resources.kind import Kind, Work, is_absent
from lowtide.local.aws.cloudformation.resources.table import kind_of
from lowtide.local.aws.errors import AwsError

#: Deleting is tried again while these say that something still hangs on the resource.
_RETRIED = ("DependencyViolation", "DeleteConflict", "InUse", "ResourceLimitExceeded")
_RETRY_FOR_S = 120.0
_GONE = Over("DELETE_COMPLETE")


def start_deletion(box: Box, stack: Stack, task: Task) -> Outcome:
    """Ask for the deletion; what was never made is deleted already."""
    resource = task.resource
    if not resource.physical_id:
        return _GONE
    resource_says(box, stack, resource, "DELETE_IN_PROGRESS")
    kind = kind_of(resource.type)
    work = work_of(box, stack, task)
    return first_wait(box, kind) if _is_there(kind, work, task) else _GONE


def look_deletion(box: Box, stack: Stack, task: Task) -> Outcome:
    """See whether a resource is gone, and ask again where that was not taken."""
    kind, work = kind_of(task.resource.type), work_of(box, stack, task)
    there = _is_left(kind, work) if task.is_asked else _is_there(kind, work, task)
    return next_wait(box, task) if there else _GONE


def _is_there(kind: Kind, work: Work, task: Task) -> bool:
    """Ask for the deletion, and return whether there is anything to wait for.

    What is still being made or changed may refuse longer than what is in use.
    """
    try:
        kind.delete(work)
    except AwsError as error:
        if is_absent(error):
            return False
        longest = _RETRY_FOR_S if _is_settled(kind, work) else LONGEST_WAIT_S
        if task.waited_s >= longest or not any(one in error.code for one in _RETRIED):
            raise
    else:
        task.is_asked = True
    return True


def _is_settled(kind: Kind, work: Work) -> bool:
    try:
        return kind.done(work)
    except AwsError:
        return True


def _is_left(kind: Kind, work: Work) -> bool:
    try:
        return not kind.gone(work)
    except AwsError as error:
        if is_absent(error):
            return False
        raise
