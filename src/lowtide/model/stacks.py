"""Stacks as they are wanted and as CloudFormation shows them, and what is to be done about the difference.

Why it exists: what to do next is decided by a pure function (``resolve.converge``) over these values; reading and doing is for others.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedStack:
    """A stack that shall be there. ``after`` are stacks that must be whole before it is touched, ``needs_nodes`` says the same of nodes."""

    name: str
    after: tuple[str, ...] = ()
    needs_nodes: bool = False


class ChangeState(enum.Enum):
    """What became of a change set that was asked for."""

    PENDING = "pending"
    READY = "ready"
    EMPTY = "empty"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChange:
    """Lowtide's change set of a stack; ``reason`` is CloudFormation's own where it failed."""

    state: ChangeState
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenStack:
    """A stack as CloudFormation shows it.

    ``status`` is CloudFormation's word; a deleted stack is DELETE_COMPLETE or not seen at all. ``is_stale``: something was asked for
    and no event has come of it yet, so the status is of before.
    """

    name: str
    status: str
    reason: str = ""
    change: SeenChange | None = None
    is_stale: bool = False


class Verb(enum.Enum):
    """What can be done about a stack; the last four ask for nothing."""

    CREATE = "create"
    REMOVE = "remove"
    ASK_CHANGE = "ask for a change set"
    DROP_CHANGE = "drop a change set"
    KEEP = "keep as it is"
    EXECUTE = "execute a change set"
    CONTINUE = "continue a rollback"
    REVERT = "roll back"
    WAIT = "wait"
    HOLD = "hold"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_act(self) -> bool:
        """Whether it is something to do, and not only a state of affairs."""
        return self not in {Verb.WAIT, Verb.HOLD, Verb.DONE, Verb.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do about one stack, and why where that is not plain."""

    stack: str
    verb: Verb
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """One line of a change set.

    ``action`` is CloudFormation's Add, Modify, Remove, Import or Dynamic; ``replaces`` its True, False or Conditional ("" for none);
    ``properties`` are the names of what changes.
    """

    logical_id: str
    type: str
    action: str
    replaces: str = ""
    properties: tuple[str, ...] = ()

    @property
    def is_drastic(self) -> bool:
        """Whether a resource goes, or may go, that is there now."""
        return self.action in {"Remove", "Dynamic"} or self.replaces in {"True", "Conditional"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    """One event of a stack. ``at_s`` is in seconds since the epoch, by AWS's clock; ``is_stack`` marks those of the stack itself."""

    id: str
    at_s: float
    logical_id: str
    type: str
    status: str
    reason: str = ""
    is_stack: bool = False
