"""Brings the stacks of a cluster to what they shall be, one look after the other, until all are whole or something failed.

Why it exists: the deciding is pure (``resolve.converge``) and the calls are ``aws.live.stacks``'; this is the loop between them. Nothing is
kept but what this run did: a run that was killed is followed by one that looks and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from lowtide.app.patience import Patience, patiently
from lowtide.aws.live.stacks import LiveStack, StackRequest, Stacks
from lowtide.model.errors import AwsError, LowtideError
from lowtide.model.live_plan import Progress, StackResult
from lowtide.model.stacks import SeenStack, StackEvent, Step, Verb, WantedStack
from lowtide.resolve.converge import is_moving, is_over, next_steps
from lowtide.resolve.first_cause import first_cause

Drastic = frozenset[tuple[str, str, str]]

_DONE_WORDS = {Verb.CREATE: "created", Verb.EXECUTE: "changed", Verb.REMOVE: "deleted"}
#: Statuses that are told of a resource; that it began is seen by the line of its stack.
_TOLD = ("_COMPLETE", "_FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the loop is told by and asks of its surroundings.

    ``tell`` hears what happens. ``before_act`` may refuse every change by raising (the lease). ``has_nodes`` says whether a node is
    there on which any pod can run, and ``why_no_nodes`` why there is none, as far as that is known. ``when_whole`` is called once for
    each stack that is whole.
    """

    tell: Callable[[Progress], None]
    has_nodes: Callable[[], bool]
    why_no_nodes: Callable[[], str] = lambda: ""
    before_act: Callable[[], None] = lambda: None
    when_whole: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the stacks shall be.

    ``approved`` is what each change set may take away or replace; ``kept`` are stacks that are known to be as they shall be.
    ``removes_first``: unwanted stacks use what the others shall not have any more.
    """

    wanted: tuple[WantedStack, ...]
    requests: Mapping[str, StackRequest]
    unwanted: tuple[str, ...] = ()
    approved: Mapping[str, Drastic] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    removes_first: bool = False


class Convergence:
    """One run of the loop."""

    def __init__(self, stacks: Stacks, goal: Goal, hooks: Hooks, patience: Patience) -> None:
        self._api = stacks
        self._goal = goal
        self._hooks = hooks
        self._patience = patience
        self._tried: dict[str, frozenset[Verb]] = {
            name: frozenset({Verb.KEEP}) for name in goal.kept
        }
        self._ids: dict[str, str] = {}
        self._heard: dict[str, str] = {}
        self._marks: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._has_nodes = False
        self._news = False
        self._told: str | None = None

    def run(self) -> tuple[StackResult, ...]:
        """Run until every stack is as it shall be, and return what was done.

        Raises:
            AwsError: a stack failed, with its first cause; others that were under way are whole or failed, too.
            LowtideError: it took too long, or would have done what nobody was shown.
        """
        while True:
            steps = self._steps()
            if is_over(steps):
                break
            acts = [one for one in steps if one.verb.is_act]
            for step in acts:
                self._act(step)
            if not acts:
                self._pause([one.stack for one in steps if one.verb is Verb.WAIT])
            self._news = False
        self._refuse_failures(steps)
        return tuple(self._result(one.stack) for one in steps)

    def _pause(self, stacks: list[str]) -> None:
        if stacks:
            self._patience.pause(", ".join(stacks), has_news=self._news)
            return
        why = self._hooks.why_no_nodes()
        if why != self._told:
            self._hooks.tell(Progress(subject="nodes", status="waiting for the first", reason=why))
            self._told = why
        self._patience.pause("nodes", has_news=self._news, why=why)

    def _steps(self) -> tuple[Step, ...]:
        seen = patiently(self._patience, self._look)
        steps = self._decide(seen)
        for step in steps:
            if step.verb is Verb.DONE and step.stack not in self._seconds:
                started = self._started.get(step.stack)
                self._seconds[step.stack] = time.monotonic() - started if started else 0.0
                if step.stack not in self._goal.unwanted:
                    self._hooks.when_whole(step.stack)
        return steps

    def _decide(self, seen: Mapping[str, SeenStack]) -> tuple[Step, ...]:
        steps = self._next(seen)
        if self._has_nodes or not self._waits_for_nodes(steps):
            return steps
        self._has_nodes = self._hooks.has_nodes()
        return self._next(seen) if self._has_nodes else steps

    def _next(self, seen: Mapping[str, SeenStack]) -> tuple[Step, ...]:
        goal = self._goal
        return next_steps(
            goal.wanted,
            goal.unwanted,
            seen,
            self._tried,
            has_nodes=self._has_nodes,
            removes_first=goal.removes_first,
        )

    def _waits_for_nodes(self, steps: Iterable[Step]) -> bool:
        """Whether nodes alone are what a stack still waits for."""
        verbs = {one.stack: one.verb for one in steps}
        return any(
            one.needs_nodes
            and verbs[one.name] is Verb.HOLD
            and all(verbs[name] is Verb.DONE for name in one.after)
            for one in self._goal.wanted
        )

    # Looking

    def _look(self) -> dict[str, SeenStack]:
        names = [*(one.name for one in self._goal.wanted), *self._goal.unwanted]
        return {name: seen for name in names if (seen := self._seen(name)) is not None}

    def _seen(self, name: str) -> SeenStack | None:
        is_unwanted = name in self._goal.unwanted
        if name in self._seconds:
            return None if is_unwanted else SeenStack(name=name, status="CREATE_COMPLETE")
        live = self._api.look(self._ids.get(name, name))
        if live is None:
            return None
        self._ids[name] = live.id
        self._hear(live)
        is_stale = name in self._marks and self._heard.get(live.id, "") == self._marks[name]
        if not is_stale:
            self._marks.pop(name, None)
        if live.status == "DELETE_COMPLETE":
            self._ids.pop(name)
        change = None
        if not (is_moving(live.status) or is_stale or is_unwanted):
            found = self._api.change(live.id)
            change = None if found is None else found.seen
        return SeenStack(
            name=name, status=live.status, reason=live.reason, change=change, is_stale=is_stale
        )

    def _hear(self, live: LiveStack) -> None:
        """Tell the events that came since the last look; those of before this run are history."""
        is_known = live.id in self._heard
        events = self._api.events(live.id, after=self._heard.get(live.id, ""))
        if events:
            self._heard[live.id] = events[-1].id
        if is_known or Verb.CREATE in self._tried.get(live.name, ()):
            self._news = self._news or bool(events)
            for one in events:
                self._tell_event(live.name, one)
        elif is_moving(live.status):
            self._hooks.tell(
                Progress(subject=live.name, status=live.status, reason="it was under way already")
            )

    def _tell_event(self, name: str, event: StackEvent) -> None:
        if event.is_stack or event.status.endswith(_TOLD):
            part = "" if event.is_stack else event.logical_id
            self._hooks.tell(
                Progress(subject=name, status=event.status, part=part, reason=event.reason)
            )

    # Doing

    def _act(self, step: Step) -> None:
        self._hooks.before_act()
        name, verb = step.stack, step.verb
        stack = self._ids.get(name, name)
        self._started.setdefault(name, time.monotonic())
        if verb is Verb.REMOVE and name not in self._goal.unwanted:
            cause = first_cause(self._api.events(stack)) or step.why
            self._hooks.tell(
                Progress(subject=name, status="is removed and created again", reason=cause)
            )
        if verb in {Verb.CONTINUE, Verb.REVERT, Verb.REMOVE, Verb.EXECUTE}:
            self._marks[name] = self._heard.get(stack, "")
        patiently(self._patience, partial(self._ask, verb, name, stack), acts=True)
        self._tried[name] = self._tried.get(name, frozenset()) | {verb}
        self._news = True

    def _ask(self, verb: Verb, name: str, stack: str) -> None:
        if verb is Verb.CREATE:
            self._create(name)
        elif verb is Verb.ASK_CHANGE:
            self._api.ask_change(self._goal.requests[name])
        elif verb in {Verb.KEEP, Verb.DROP_CHANGE}:
            self._api.drop_change(stack)
        elif verb is Verb.EXECUTE:
            self._refuse_unseen(name, stack)
            self._api.execute(stack)
        elif verb is Verb.REMOVE:
            self._api.remove(stack)
        elif verb is Verb.CONTINUE:
            self._api.continue_rollback(stack)
        else:
            self._api.revert(stack)

    def _create(self, name: str) -> None:
        try:
            self._ids[name] = self._api.create(self._goal.requests[name])
        except AwsError as error:
            if error.code != "AlreadyExistsException":
                raise
            self._ids.pop(name, None)  # the answer of an earlier try was lost

    def _refuse_unseen(self, name: str, stack: str) -> None:
        """Make no change that takes something away and that nobody was shown."""
        found = self._api.change(stack)
        if found is None:
            return
        unseen = [
            one
            for one in found.resources
            if one.is_drastic
            and (one.logical_id, one.action, one.replaces)
            not in self._goal.approved.get(name, frozenset())
        ]
        if unseen:
            self._api.drop_change(stack)
            listed = ", ".join(f"{one.logical_id} ({one.type})" for one in unseen)
            raise LowtideError(
                f"Stack {name} is left as it is: the change would replace or delete what was not shown before",
                where=name,
                why=f"it concerns {listed}",
                fix="run the same command again: it shows what would change now",
            )

    # Ending

    def _result(self, name: str) -> StackResult:
        tried = self._tried.get(name, frozenset())
        done = next((word for verb, word in _DONE_WORDS.items() if verb in tried), "unchanged")
        return StackResult(name=name, done=done, seconds=round(self._seconds[name], 1))

    def _refuse_failures(self, steps: Iterable[Step]) -> None:
        failed = [one for one in steps if one.verb is Verb.FAILED]
        if not failed:
            return
        first = failed[0]
        stack = self._ids.get(first.stack, first.stack)
        cause = first_cause(patiently(self._patience, lambda: self._events(stack)))
        others = f"; so did {', '.join(one.stack for one in failed[1:])}" if failed[1:] else ""
        raise AwsError(
            f"Stack {first.stack} failed{others}",
            where=first.stack,
            why=cause or first.why,
            fix="put right what is named above and run the same command again: it goes on from here",
        )

    def _events(self, stack: str) -> tuple[StackEvent, ...]:
        return self._api.events(stack) if self._api.look(stack) is not None else ()
