"""What an attempt at a task comes to, and what every attempt needs.

Why it exists: making and deleting a resource decide what comes next as a value; the engine alone has the timers.
"""

from __future__ import annotations

import dataclasses

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.records import Stack, Task
from lowtide.local.aws.cloudformation.resources.kind import Kind, Work
from lowtide.local.aws.errors import AwsError

#: How long a resource may take before CloudFormation gives up, in AWS's time.
LONGEST_WAIT_S = 7200.0


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Look again after so many seconds of AWS's time."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Over:
    """The task is done; its resource gets the status, or says nothing where that is empty."""

    status: str = ""


Outcome = Wait | Over


def first_wait(box: Box, kind: Kind) -> Wait:
    """Return how long a type takes."""
    return Wait(float(getattr(box.settings.delays, kind.delay)))


def next_wait(box: Box, task: Task) -> Wait:
    """Return when to look again.

    Raises:
        AwsError: NotStabilized: it has been waited for too long.
    """
    if task.waited_s > LONGEST_WAIT_S:
        raise AwsError("NotStabilized", "Exceeded attempts to wait")
    return Wait(float(box.settings.delays.resource_s))


def work_of(box: Box, stack: Stack, task: Task) -> Work:
    """Return a task's resource in the hands of its type."""
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
