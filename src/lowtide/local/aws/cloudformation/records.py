"""What CloudFormation remembers: stacks, their resources, events and change sets, and what is being done to them.

Why it exists: a box may stop at any moment and go on later, so everything that is under way is a plain value here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import Step
from lowtide.local.aws.cloudformation.template.parameters import Given
from lowtide.local.aws.service import Caller

SERVICE = "cloudformation"
STACK_TYPE = "AWS::CloudFormation::Stack"


@dataclass(slots=True, kw_only=True)
class Resource:
    """A resource of a stack as it is. ``tags`` are those that it was given, the stack's included."""

    logical_id: str
    type: str
    at: dt.datetime
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    update_policy: dict[str, Any] = field(default_factory=dict)
    metadata: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    """One line of a stack's history."""

    number: int
    event_id: str
    at: dt.datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""
    properties: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output of a stack; ``export`` is empty where it is not exported."""

    key: str
    value: str
    description: str = ""
    export: str = ""


@dataclass(slots=True, kw_only=True)
class Task:
    """One thing to be done to one resource: ``create``, ``update``, ``revert`` or ``delete``.

    ``needs`` are names of tasks before it. ``steps`` are calls that are still to be made, ``calls_made`` counts those that
    were. ``before`` is the resource that an update replaced, or that a revert took back.
    """

    name: str
    verb: str
    resource: Resource
    needs: frozenset[str] = frozenset()
    state: str = "waiting"
    steps: list[Step] = field(default_factory=list)
    waited_s: float = 0.0
    before: Resource | None = None
    is_asked: bool = False
    calls_made: int = 0


@dataclass(slots=True, kw_only=True)
class Run:
    """What is being done to a stack: a set of tasks, and what follows by ``kind``.

    ``number`` tells timers of this run from those of an earlier one. A run that ``keeps_going`` lets independent
    resources go on when one fails. ``reason`` is why it failed where that is no resource's fault.
    """

    kind: str
    number: int
    tasks: dict[str, Task]
    is_failed: bool = False
    keeps_going: bool = False
    reason: str = ""

    def those(self, state: str) -> list[Task]:
        """Return the tasks in a state."""
        return [task for task in self.tasks.values() if task.state == state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a stack is to be: a template with everything that the caller said about it."""

    text: str
    template: dict[str, Any]
    parameters: Mapping[str, Given]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...] = ()
    role_arn: str = ""
    notification_arns: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class ChangeSet:
    """A change that was looked at and not yet made."""

    name: str
    id: str
    kind: str
    at: dt.datetime
    wanted: Wanted
    description: str = ""
    status: str = "CREATE_PENDING"
    reason: str = ""
    execution: str = "UNAVAILABLE"
    changes: list[dict[str, Any]] = field(default_factory=list)
    on_failure: str = "ROLLBACK"


@dataclass(slots=True, kw_only=True)
class Stack:
    """A stack. ``before`` and ``old`` are what it goes back to when an update fails, ``leftovers`` what must go after it.

    ``on_failure`` is ROLLBACK, DELETE or DO_NOTHING. ``deletes_retained`` is RetainExceptOnCreate of the request.
    """

    name: str
    id: str
    region: str
    account: str
    caller: Caller
    created: dt.datetime
    wanted: Wanted
    status: str = ""
    reason: str = ""
    updated: dt.datetime | None = None
    deleted: dt.datetime | None = None
    on_failure: str = "ROLLBACK"
    is_protected: bool = False
    timeout_minutes: int | None = None
    deletes_retained: bool = False
    is_forced: bool = False
    token: str = ""
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    imports: frozenset[str] = frozenset()
    events: list[StackEvent] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    change_set_id: str = ""
    run: Run | None = None
    runs: int = 0
    before: Wanted | None = None
    old: dict[str, Resource] = field(default_factory=dict)
    leftovers: list[Resource] = field(default_factory=list)

    @property
    def is_there(self) -> bool:
        """Whether the stack still exists; deleted ones are remembered by their id."""
        return self.status != "DELETE_COMPLETE"

    @property
    def is_busy(self) -> bool:
        """Whether something is being done to the stack."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(slots=True, kw_only=True)
class State:
    """Every stack of every region by its id; ids hold the region."""

    stacks: dict[str, Stack] = field(default_factory=dict)

    def of_region(self, region: str) -> Iterator[Stack]:
        """Yield the stacks of a region, newest first."""
        return (one for one in reversed(self.stacks.values()) if one.region == region)

    def named(self, region: str, name: str) -> Stack | None:
        """Return the living stack of a name, or any stack of an id."""
        if name in self.stacks:
            return self.stacks[name] if self.stacks[name].region == region else None
        living = (one for one in self.of_region(region) if one.name == name and one.is_there)
        return next(living, None)
