"""A CloudFormation of a few lines: stacks that take some looks to be whole, events, change sets, and calls that end as a test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lowtide.aws.live.stacks import CHANGE_SET, LiveChange, LiveStack, StackRequest, Stacks
from lowtide.model.stacks import ChangeState, ResourceChange, SeenChange, StackEvent

#: Looks that anything takes.
LOOKS = 2
ENDINGS = {
    "CREATE_IN_PROGRESS": "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "UPDATE_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_COMPLETE",
}


@dataclass
class _Kept:
    live: LiveStack
    body: str
    looks: int = 0
    events: list[StackEvent] = field(default_factory=list)
    changes: dict[str, tuple[SeenChange, StackRequest]] = field(default_factory=dict)


class FakeStacks(Stacks):
    """Implements ``Stacks`` in memory.

    ``mutations`` are the calls that changed something. ``failing`` names stacks whose next creation or update fails, with the reason.
    ``hook`` is called before and after each mutation with its number and "before" or "after".
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._count = itertools.count(1)
        self.mutations: list[tuple[str, str]] = []
        self.failing: dict[str, str] = {}
        self.lines: dict[str, tuple[ResourceChange, ...]] = {}
        self.hook: Callable[[int, str], None] = lambda _number, _when: None

    # For tests

    def put(self, request: StackRequest, status: str, reason: str = "") -> None:
        """Place a stack as an earlier run left it."""
        self._new(request, status)
        kept = self._named(request.name)
        kept.live = replace(kept.live, reason=reason)
        if reason:
            self._say(kept, "Vpc", "CREATE_FAILED", reason)
            self._say(kept, kept.live.name, status)

    def statuses(self) -> dict[str, str]:
        """Return the status of each stack that is there."""
        return {
            one.live.name: one.live.status
            for one in self._kept.values()
            if one.live.status != "DELETE_COMPLETE"
        }

    def bodies(self) -> Mapping[str, str]:
        """Return the template of each stack that is there."""
        return {
            one.live.name: one.body
            for one in self._kept.values()
            if one.live.status != "DELETE_COMPLETE"
        }

    # As lowtide calls it

    def all(self) -> Iterator[LiveStack]:
        return iter([one.live for one in self._kept.values()])

    def look(self, name: str) -> LiveStack | None:
        kept = self._kept.get(name) or self._living(name)
        if kept is None:
            return None
        self._advance(kept)
        return kept.live

    def events(self, stack: str, *, after: str = "") -> tuple[StackEvent, ...]:
        found = self._named(stack).events
        ids = [one.id for one in found]
        return tuple(found[ids.index(after) + 1 if after in ids else 0 :])

    def create(self, request: StackRequest) -> str:
        with _Mutation(self, "create", request.name):
            assert self._living(request.name) is None, "AlreadyExistsException"
            return self._new(request, "CREATE_IN_PROGRESS")

    def ask_change(
        self,
        request: StackRequest,
        *,
        name: str = CHANGE_SET,
        maker: str = "",  # noqa: ARG002 - nothing is decided by it here
    ) -> str:
        with _Mutation(self, "ask_change", request.name):
            kept = self._named(request.name)
            assert name not in kept.changes, "AlreadyExistsException"
            kept.changes[name] = (SeenChange(state=ChangeState.PENDING), request)
            return f"{kept.live.id}/{name}"

    def change(self, stack: str, *, name: str = CHANGE_SET) -> LiveChange | None:
        kept = self._named(stack)
        if name not in kept.changes:
            return None
        seen, request = kept.changes[name]
        lines = self.lines.get(kept.live.name, ())
        if seen.state is ChangeState.PENDING:
            same = request.body == kept.body
            now = SeenChange(state=ChangeState.EMPTY if same else ChangeState.READY)
            kept.changes[name] = (now, request)
        return LiveChange(id=f"{stack}/{name}", seen=seen, resources=lines)

    def drop_change(self, stack: str, *, name: str = CHANGE_SET) -> None:
        with _Mutation(self, "drop_change", stack):
            self._named(stack).changes.pop(name, None)

    def execute(self, stack: str, *, name: str = CHANGE_SET) -> None:
        with _Mutation(self, "execute", stack):
            kept = self._named(stack)
            seen, request = kept.changes.pop(name)
            assert seen.state is ChangeState.READY, "InvalidChangeSetStatus"
            kept.body = request.body
            self._set(kept, "UPDATE_IN_PROGRESS")

    def remove(self, stack: str) -> None:
        with _Mutation(self, "remove", stack):
            self._set(self._named(stack), "DELETE_IN_PROGRESS")

    def continue_rollback(self, stack: str) -> None:
        with _Mutation(self, "continue_rollback", stack):
            self._set(self._named(stack), "UPDATE_ROLLBACK_IN_PROGRESS")

    def revert(self, stack: str) -> None:
        with _Mutation(self, "revert", stack):
            self._set(self._named(stack), "UPDATE_ROLLBACK_IN_PROGRESS")

    # Inside

    def _living(self, name: str) -> _Kept | None:
        living = (
            one
            for one in self._kept.values()
            if one.live.name == name and one.live.status != "DELETE_COMPLETE"
        )
        return next(living, None)

    def _named(self, name: str) -> _Kept:
        found = self._kept.get(name) or self._living(name)
        assert found is not None, f"no stack {name}"
        return found

    def _new(self, request: StackRequest, status: str) -> str:
        stack_id = f"arn:{request.name}/{next(self._count)}"
        live = LiveStack(name=request.name, id=stack_id, status=status, tags=request.tags)
        self._kept[stack_id] = _Kept(live=live, body=request.body)
        self._say(self._kept[stack_id], request.name, status)
        return stack_id

    def _say(self, kept: _Kept, logical_id: str, status: str, reason: str = "") -> None:
        number = next(self._count)
        is_stack = logical_id == kept.live.name
        kind = "AWS::CloudFormation::Stack" if is_stack else "AWS::EC2::VPC"
        kept.events.append(
            StackEvent(
                id=str(number),
                at_s=number,
                logical_id=logical_id,
                type=kind,
                status=status,
                reason=reason,
                is_stack=is_stack,
            )
        )

    def _set(self, kept: _Kept, status: str) -> None:
        kept.live = replace(kept.live, status=status)
        kept.looks = 0
        self._say(kept, kept.live.name, status)

    def _advance(self, kept: _Kept) -> None:
        status = kept.live.status
        if status not in ENDINGS:
            return
        kept.looks += 1
        if kept.looks < LOOKS:
            return
        reason = self.failing.get(kept.live.name, "")
        if reason and status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:
            del self.failing[kept.live.name]
            self._say(kept, "Role", status.replace("IN_PROGRESS", "FAILED"), "Resource cancelled")
            self._say(kept, "Vpc", status.replace("IN_PROGRESS", "FAILED"), reason)
            back = "ROLLBACK_IN_PROGRESS"
            self._set(kept, back if status.startswith("CREATE") else f"UPDATE_{back}")
            return
        self._say(kept, "Vpc", ENDINGS[status])
        self._set(kept, ENDINGS[status])


class _Mutation:
    """A call that changes something: counted, and told to the hook before and after it."""

    def __init__(self, stacks: FakeStacks, what: str, who: str) -> None:
        self._stacks = stacks
        self._call = (what, who.removeprefix("arn:").split("/")[0])

    def __enter__(self) -> None:
        self._stacks.hook(len(self._stacks.mutations) + 1, "before")
        self._stacks.mutations.append(self._call)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._stacks.hook(len(self._stacks.mutations), "after")
