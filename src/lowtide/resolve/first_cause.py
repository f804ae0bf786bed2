"""Why a stack failed: the first thing that went wrong, not what followed from it.

Why it exists: one failed resource makes CloudFormation cancel all others, and the stack itself says only that something failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from lowtide.model.stacks import StackEvent

#: What CloudFormation writes for resources that it gave up because of another one.
_CANCELLED = "cancelled"
#: A stack's own words when somebody asked for something; what is before them belongs to something earlier.
_BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})


def first_cause(events: Sequence[StackEvent]) -> str:
    """Return which resource failed first and why, empty where nothing says so.

    Args:
        events: of one stack, oldest first. Only those of the last creation, update or deletion count that had a failure.
    """
    for operation in reversed(_operations(events)):
        failed = [
            one for one in operation if one.status.endswith("_FAILED") and not _is_effect(one)
        ]
        if failed:
            first = next((one for one in failed if not one.is_stack), failed[0])
            return _words(first)
    return ""


def _operations(events: Sequence[StackEvent]) -> list[list[StackEvent]]:
    found: list[list[StackEvent]] = [[]]
    for one in events:
        if one.is_stack and one.status in _BEGINNINGS:
            found.append([])
        found[-1].append(one)
    return found


def _is_effect(event: StackEvent) -> bool:
    return event.reason.rstrip(".").lower().endswith(_CANCELLED)


def _words(event: StackEvent) -> str:
    who = event.logical_id if event.is_stack else f"{event.logical_id} ({event.type})"
    return f"{who} {event.status}: {event.reason}" if event.reason else f"{who} {event.status}"
