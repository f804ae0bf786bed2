"""What a run would do to each stack, by change sets that are made, read and deleted again.

Why it exists: only CloudFormation knows what it would replace, and a person has to see that before anything is changed.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from lowtide.app.patience import Patience, patiently
from lowtide.app.this_process import has_ended, this_process, user_and_host
from lowtide.app.world import World
from lowtide.aws.live.stacks import LiveChange, LiveStack, StackRequest, Stacks
from lowtide.aws.templates.cfn import Stack
from lowtide.model.errors import AwsError
from lowtide.model.live_plan import StackAction, StackPlan
from lowtide.model.stacks import ChangeState
from lowtide.resolve.converge import STEADY, is_moving
from lowtide.resolve.first_cause import first_cause

#: Behind it stands who looks from where, so that what a killed run left is met by the next one.
_PREFIX = "lowtide-plan-"


def preview(
    stacks: Stacks, world: World, templates: tuple[Stack, ...], *, patience: Patience
) -> tuple[StackPlan, ...]:
    """Return what would be done about each stack of a cluster; nothing is changed.

    Raises:
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
    try:
        for stack in whole:
            asked[stack] = name
            asked[stack] = _asked(stacks, world.requests[stack], name, patience)
        changed = {stack: _changed(stacks, stack, asked[stack], patience) for stack in whole}
    finally:
        for stack, one in asked.items():
            _drop(stacks, stack, one)
    counts = {one.name: len(one.template["Resources"]) for one in templates}
    return (
        *(_plan(stacks, world, one.name, changed, counts) for one in world.wanted),
        *(StackPlan(name=one, action=StackAction.DELETE) for one in world.unwanted),
    )


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
            raise AwsError("a change set is gone", where=stack, why=f"somebody deleted {name}")
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
