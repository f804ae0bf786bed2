"""What a run would do to each stack, by change sets that are made, read and deleted again.

Why it exists: only CloudFormation knows what it would replace, and a person has to see that before anything is changed.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from lowtide.app.patience import Patience, patiently
from lowtide.app.this_process import has_ended, this_process, user_and_host
from lowtide.app.world import World
from lowtide.aws.live.stacks import LiveChange, LiveStack, StackRequest, Stacks
from lowtide.aws.templates.cfn import Stack
from lowtide.model.errors import AwsError, LowtideError
from lowtide.model.live_plan import StackAction, StackPlan
from lowtide.model.stacks import ChangeState
from lowtide.resolve.converge import STEADY, is_moving
from lowtide.resolve.first_cause import first_cause

Answer = TypeVar("Answer")

#: Codes by which CloudFormation refuses to look at a stack or a change set that is gone or going.
_OF_VANISHED = frozenset({"ValidationError", "ChangeSetNotFound", "ChangeSetNotFoundException"})
#: Behind it stands who looks from where, so that what a killed run left is met by the next one.
_PREFIX = "lowtide-plan-"


class StackVanished(LowtideError):  # noqa: N818 - somebody else is at work, which is no failure of ours
    """A stack that was whole when it was looked at is not any more."""


def preview(
    stacks: Stacks,
    world: World,
    templates: tuple[Stack, ...],
    *,
    patience: Patience,
    refuse: Callable[[StackPlan], None],
) -> tuple[StackPlan, ...]:
    """Return what would be done about each stack of a cluster; nothing is changed.

    ``refuse`` sees the first stack's plan before others are asked for: what it raises ends the look.

    Raises:
        StackVanished: somebody else deletes or changes a stack at this moment.
        AwsError: AWS refused, or a change set failed.
        LowtideError: it took too long.
    """
    whole = [
        one.name
        for one in world.wanted
        if one.name in world.stacks and world.stacks[one.name].status in STEADY
    ]
    name = _PREFIX + hashlib.sha256(user_and_host().encode()).hexdigest()[:8]
    asked: dict[str, str] = {}
    changed: dict[str, StackPlan] = {}
    try:
        for some in (whole[:1], whole[1:]):  # the others use exports of the first
            for stack in some:
                asked[stack] = name
                ask = partial(_asked, stacks, world.requests[stack], name, patience)
                asked[stack] = _while_whole(stacks, stack, ask, patience)
            for stack in some:
                look = partial(_changed, stacks, stack, asked[stack], patience)
                changed[stack] = _while_whole(stacks, stack, look, patience)
                refuse(changed[stack])
    finally:
        for stack, one in asked.items():
            _drop(stacks, stack, one)
    counts = {one.name: len(one.template["Resources"]) for one in templates}
    return (
        *(_plan(stacks, world, one.name, changed, counts) for one in world.wanted),
        *(StackPlan(name=one, action=StackAction.DELETE) for one in world.unwanted),
    )


def _while_whole(
    stacks: Stacks, stack: str, look: Callable[[], Answer], patience: Patience
) -> Answer:
    """Return what a look gives; where it fails because of what somebody else does to the stack, say that instead."""
    try:
        return look()
    except AwsError as error:
        if error.code and error.code not in _OF_VANISHED:
            raise
        live = patiently(patience, partial(stacks.look, stack))
        if live is not None and live.status in STEADY:
            raise
        raise StackVanished(
            f"Stack {stack} is {'gone' if live is None else 'being changed'} since this run began to look",
            where=stack,
            why="somebody else deleted it"
            if live is None
            else f"it is {live.status}, and not by this run",
            fix="wait until the other run is over, and run the same command again: it looks anew",
        ) from error


def _asked(stacks: Stacks, request: StackRequest, name: str, patience: Patience) -> str:
    """Ask for a change set and return its name; one that a killed run of this user and machine left is removed."""
    me = this_process()

    def ask(name: str) -> LiveChange | None:
        asking = partial(stacks.ask_change, request, name=name, maker=me)
        patiently(patience, asking, acts=True)
        return patiently(patience, partial(stacks.change, request.name, name=name))

    found = ask(name)
    if found is not None and found.maker != me and has_ended(found.maker):
        _drop(stacks, request.name, name)
        found = ask(name)
    if found is None or found.maker == me:
        return name
    name = _PREFIX + uuid.uuid4().hex[:8]  # of a run that is at work
    ask(name)
    return name


def _changed(stacks: Stacks, stack: str, name: str, patience: Patience) -> StackPlan:
    while True:
        found = patiently(patience, lambda: stacks.change(stack, name=name))
        if found is None:
            raise AwsError(
                "a change set is gone",
                where=stack,
                why=f"somebody deleted {name}",
                fix="run the same command again",
            )
        if found.seen.state is ChangeState.READY:
            return StackPlan(name=stack, action=StackAction.CHANGE, changes=found.resources)
        if found.seen.state is ChangeState.EMPTY:
            return StackPlan(name=stack, action=StackAction.NONE)
        if found.seen.state is ChangeState.FAILED:
            raise AwsError(
                f"CloudFormation cannot change stack {stack} as the files want it",
                where=stack,
                why=found.seen.reason,
                fix="put the cluster file right, and run the same command again",
            )
        patience.pause(stack)


def _drop(stacks: Stacks, stack: str, name: str) -> None:
    try:
        stacks.drop_change(stack, name=name)
    except AwsError:
        return  # it holds nothing and costs nothing, and goes with the next update of its stack


def _plan(
    stacks: Stacks,
    world: World,
    name: str,
    changed: Mapping[str, StackPlan],
    counts: Mapping[str, int],
) -> StackPlan:
    live = world.stacks.get(name)
    if live is None:
        return StackPlan(name=name, action=StackAction.CREATE, resources=counts[name])
    if name in changed:
        is_back = live.status == "UPDATE_ROLLBACK_COMPLETE"
        return replace(changed[name], why=_cause(stacks, live)) if is_back else changed[name]
    if is_moving(live.status):
        return StackPlan(name=name, action=StackAction.FOLLOW, why=live.status)
    return StackPlan(
        name=name,
        action=StackAction.REPAIR,
        why=_cause(stacks, live),
        resources=counts[name],
    )


def _cause(stacks: Stacks, live: LiveStack) -> str:
    cause = first_cause(stacks.events(live.id))
    return f"{live.status}; {cause}" if cause else live.status
