"""What to do next about each stack of a cluster: wanted stacks and seen stacks in, steps out.

Why it exists: ``up`` may be interrupted anywhere, so it never remembers where it was: each look at the world gives the next steps, and a
run that goes on is the same as one that begins. A pure function can be tried on every state that CloudFormation has.

States: CloudFormation user guide, "Stack status codes". A stack in ROLLBACK_COMPLETE can only be deleted, one in
UPDATE_ROLLBACK_FAILED has to continue its rollback before anything else (same guide, "Continue rolling back an update").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lowtide.model.stacks import ChangeState, SeenStack, Step, Verb, WantedStack

#: Whole stacks: they can be updated.
STEADY = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
#: Never became whole, or not any more: to be deleted before anything else.
BROKEN = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
#: A shell that a change set of type CREATE leaves when nobody executes it; it holds no resource.
_SHELL = "REVIEW_IN_PROGRESS"
_GONE = "DELETE_COMPLETE"

#: What was done about each stack in this run.
Tried = Mapping[str, frozenset[Verb]]


def next_steps(
    wanted: Sequence[WantedStack],
    unwanted: Iterable[str],
    seen: Mapping[str, SeenStack],
    tried: Tried,
    *,
    has_nodes: bool,
    removes_first: bool = False,
) -> tuple[Step, ...]:
    """Return a step for each stack.

    Args:
        wanted: the stacks that shall be there.
        unwanted: names of stacks of this cluster that shall go: once all others are whole, so that nodes are there before others go.
        seen: what CloudFormation shows, by name; every look must show what this run did before.
        tried: what this run did; nothing is tried twice.
        has_nodes: whether a node is there on which any pod can run.
        removes_first: unwanted stacks go before anything is changed, because they use exports that the others shall not have any more.
    """
    gone = {
        name: _unwanted_step(name, seen.get(name), tried.get(name, frozenset()), is_free=True)
        for name in (unwanted if removes_first else ())
    }
    may_begin = all(one.verb is Verb.DONE for one in gone.values())
    steps: dict[str, Step] = {}
    for one in _in_order(wanted):
        is_free = may_begin and all(steps[name].verb is Verb.DONE for name in one.after)
        is_free = is_free and (has_nodes or not one.needs_nodes)
        done = tried.get(one.name, frozenset())
        steps[one.name] = _wanted_step(one.name, seen.get(one.name), done, is_free=is_free)
    is_whole = all(one.verb is Verb.DONE for one in steps.values())
    steps |= gone
    for name in () if removes_first else unwanted:
        done = tried.get(name, frozenset())
        steps[name] = _unwanted_step(name, seen.get(name), done, is_free=is_whole)
    return _without_new(tuple(steps.values()))


def is_over(steps: Iterable[Step]) -> bool:
    """Return whether there is nothing more to do or to wait for: all is done, or what is left waits for what failed."""
    verbs = {one.verb for one in steps}
    if Verb.FAILED in verbs:
        return verbs <= {Verb.DONE, Verb.FAILED, Verb.HOLD}
    return verbs <= {Verb.DONE}


def is_moving(status: str) -> bool:
    """Return whether CloudFormation is at work on a stack."""
    return status.endswith("_IN_PROGRESS") and status != _SHELL


def needs_removal(status: str) -> bool:
    """Return whether a stack in that state has to be deleted before it can be created."""
    return status in BROKEN or status == _SHELL


def _wanted_step(
    name: str, seen: SeenStack | None, tried: frozenset[Verb], *, is_free: bool
) -> Step:
    def step(verb: Verb, why: str = "") -> Step:
        return Step(stack=name, verb=verb, why=why)

    if seen is None or seen.status == _GONE:
        if Verb.CREATE in tried:
            return step(Verb.FAILED, "somebody deleted it while it was being created")
        return step(Verb.CREATE) if is_free else step(Verb.HOLD)
    if seen.is_stale or is_moving(seen.status):
        is_failing = "ROLLBACK" in seen.status and tried & {Verb.CREATE, Verb.EXECUTE}
        return step(Verb.WAIT, _why(seen) if is_failing else "")
    if needs_removal(seen.status):
        is_at_end = Verb.CREATE in tried or Verb.REMOVE in tried
        return step(Verb.FAILED if is_at_end else Verb.REMOVE, _why(seen))
    if seen.status == "UPDATE_ROLLBACK_FAILED":
        return step(Verb.FAILED if Verb.CONTINUE in tried else Verb.CONTINUE, _why(seen))
    if seen.status == "UPDATE_FAILED":
        return step(Verb.FAILED if Verb.REVERT in tried else Verb.REVERT, _why(seen))
    if seen.status not in STEADY:
        return step(Verb.FAILED, f"CloudFormation says {seen.status}, which lowtide does not know")
    if Verb.EXECUTE in tried and seen.status == "UPDATE_ROLLBACK_COMPLETE":
        return step(Verb.FAILED, _why(seen))
    if tried & {Verb.CREATE, Verb.EXECUTE, Verb.KEEP}:
        return step(Verb.DONE)
    if not is_free:
        return step(Verb.HOLD)
    return step(*_change_step(seen, tried))


def _change_step(seen: SeenStack, tried: frozenset[Verb]) -> tuple[Verb, str]:
    """Return what to do about the change set of a whole stack: one of an earlier run may be out of date."""
    change = seen.change
    if change is None:
        if Verb.ASK_CHANGE in tried:
            return Verb.FAILED, "somebody deleted its change set"
        return Verb.ASK_CHANGE, ""
    if Verb.ASK_CHANGE not in tried:
        return (Verb.WAIT, "") if change.state is ChangeState.PENDING else (Verb.DROP_CHANGE, "")
    return {
        ChangeState.PENDING: (Verb.WAIT, ""),
        ChangeState.READY: (Verb.EXECUTE, ""),
        ChangeState.EMPTY: (Verb.KEEP, ""),
        ChangeState.FAILED: (Verb.FAILED, change.reason),
    }[change.state]


def _unwanted_step(
    name: str, seen: SeenStack | None, tried: frozenset[Verb], *, is_free: bool
) -> Step:
    if seen is None or seen.status == _GONE:
        return Step(stack=name, verb=Verb.DONE)
    begins = seen.status == "CREATE_IN_PROGRESS" and Verb.REMOVE not in tried
    if seen.is_stale or (is_moving(seen.status) and not begins):
        return Step(stack=name, verb=Verb.WAIT)
    if Verb.REMOVE in tried:
        return Step(stack=name, verb=Verb.FAILED, why=_why(seen))
    return Step(stack=name, verb=Verb.REMOVE if is_free else Verb.HOLD)


def _without_new(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Begin nothing more once something failed or is being rolled back; what is under way is waited for."""
    if not any(one.verb is Verb.FAILED or (one.verb is Verb.WAIT and one.why) for one in steps):
        return steps
    return tuple(Step(stack=one.stack, verb=Verb.HOLD) if one.verb.is_act else one for one in steps)


def _in_order(wanted: Sequence[WantedStack]) -> tuple[WantedStack, ...]:
    """Return stacks behind those that they wait for.

    Raises:
        ValueError: a stack waits for one that is not wanted, or for itself, a mistake of ours.
    """
    left, placed = list(wanted), dict[str, WantedStack]()
    while left:
        free = [one for one in left if all(name in placed for name in one.after)]
        if not free:
            raise ValueError(f"stacks wait for each other: {', '.join(one.name for one in left)}")
        placed |= {one.name: one for one in free}
        left = [one for one in left if one.name not in placed]
    return tuple(placed.values())


def _why(seen: SeenStack) -> str:
    return f"{seen.status}: {seen.reason}" if seen.reason else seen.status
