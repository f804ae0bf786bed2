"""What is done next about a stack: by table for every state, and by random histories for what must always hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.model.stacks import ChangeState, SeenChange, SeenStack, Step, Verb, WantedStack
from lowtide.resolve.converge import BROKEN, STEADY, is_moving, is_over, next_steps
from lowtide.resolve.pins import Pin, chosen_image

PENDING, READY, EMPTY, FAILED = (
    SeenChange(state=one)
    for one in (ChangeState.PENDING, ChangeState.READY, ChangeState.EMPTY, ChangeState.FAILED)
)


def _step(
    status: str | None, *tried: Verb, change: SeenChange | None = None, is_free: bool = True
) -> Verb:
    """Return the step for stack ``b``, which waits for ``a``; ``a`` is done where ``b`` is free."""
    wanted = [WantedStack(name="a"), WantedStack(name="b", after=("a",))]
    seen = {"a": SeenStack(name="a", status="CREATE_COMPLETE" if is_free else "CREATE_IN_PROGRESS")}
    if status is not None:
        seen["b"] = SeenStack(name="b", status=status, reason="because", change=change)
    done = {"a": frozenset({Verb.KEEP}), "b": frozenset(tried)}
    return next_steps(wanted, (), seen, done, has_nodes=True)[-1].verb


@pytest.mark.parametrize(
    ("status", "tried", "verb"),
    [
        (None, (), Verb.CREATE),
        ("DELETE_COMPLETE", (), Verb.CREATE),
        ("DELETE_COMPLETE", (Verb.REMOVE,), Verb.CREATE),
        ("DELETE_COMPLETE", (Verb.CREATE,), Verb.FAILED),
        ("REVIEW_IN_PROGRESS", (), Verb.REMOVE),
        ("CREATE_IN_PROGRESS", (), Verb.WAIT),
        ("CREATE_IN_PROGRESS", (Verb.CREATE,), Verb.WAIT),
        ("ROLLBACK_IN_PROGRESS", (), Verb.WAIT),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", (), Verb.WAIT),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", (), Verb.WAIT),
        ("DELETE_IN_PROGRESS", (Verb.REMOVE,), Verb.WAIT),
        ("ROLLBACK_COMPLETE", (), Verb.REMOVE),
        ("ROLLBACK_COMPLETE", (Verb.CREATE,), Verb.FAILED),
        ("ROLLBACK_COMPLETE", (Verb.REMOVE, Verb.CREATE), Verb.FAILED),
        ("ROLLBACK_FAILED", (), Verb.REMOVE),
        ("CREATE_FAILED", (), Verb.REMOVE),
        ("DELETE_FAILED", (), Verb.REMOVE),
        ("DELETE_FAILED", (Verb.REMOVE,), Verb.FAILED),
        ("UPDATE_ROLLBACK_FAILED", (), Verb.CONTINUE),
        ("UPDATE_ROLLBACK_FAILED", (Verb.CONTINUE,), Verb.FAILED),
        ("UPDATE_FAILED", (), Verb.REVERT),
        ("UPDATE_FAILED", (Verb.REVERT,), Verb.FAILED),
        ("CREATE_COMPLETE", (Verb.CREATE,), Verb.DONE),
        ("CREATE_COMPLETE", (), Verb.ASK_CHANGE),
        ("UPDATE_COMPLETE", (), Verb.ASK_CHANGE),
        ("UPDATE_ROLLBACK_COMPLETE", (), Verb.ASK_CHANGE),
        ("UPDATE_ROLLBACK_COMPLETE", (Verb.CONTINUE,), Verb.ASK_CHANGE),
        ("UPDATE_COMPLETE", (Verb.ASK_CHANGE, Verb.EXECUTE), Verb.DONE),
        ("UPDATE_ROLLBACK_COMPLETE", (Verb.ASK_CHANGE, Verb.EXECUTE), Verb.FAILED),
        ("CREATE_COMPLETE", (Verb.ASK_CHANGE, Verb.KEEP), Verb.DONE),
        ("CREATE_COMPLETE", (Verb.ASK_CHANGE,), Verb.FAILED),
        ("SOMETHING_NEW", (), Verb.FAILED),
    ],
)
def test_every_state_of_a_stack_has_its_step(
    status: str | None, tried: tuple[Verb, ...], verb: Verb
) -> None:
    assert _step(status, *tried) is verb


@pytest.mark.parametrize(
    ("change", "of_this_run", "verb"),
    [
        (PENDING, True, Verb.WAIT),
        (READY, True, Verb.EXECUTE),
        (EMPTY, True, Verb.KEEP),
        (FAILED, True, Verb.FAILED),
        (PENDING, False, Verb.WAIT),
        (READY, False, Verb.DROP_CHANGE),
        (EMPTY, False, Verb.DROP_CHANGE),
        (FAILED, False, Verb.DROP_CHANGE),
    ],
)
def test_only_a_change_set_of_this_run_is_executed(
    change: SeenChange, of_this_run: bool, verb: Verb
) -> None:
    tried = (Verb.ASK_CHANGE,) if of_this_run else ()
    assert _step("CREATE_COMPLETE", *tried, change=change) is verb


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "CREATE_COMPLETE", "DELETE_FAILED"])
def test_a_status_of_before_the_last_request_decides_nothing(status: str) -> None:
    one = SeenStack(name="a", status=status, is_stale=True)
    done = {"a": frozenset({Verb.REMOVE})}
    for wanted, unwanted in (([WantedStack(name="a")], []), ([], ["a"])):
        steps = next_steps(wanted, unwanted, {"a": one}, done, has_nodes=True)
        assert steps[0].verb is Verb.WAIT


@pytest.mark.parametrize("status", [None, "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_waits_for_those_that_it_needs(status: str | None) -> None:
    assert _step(status, is_free=False) is Verb.HOLD


def test_a_broken_stack_is_removed_without_waiting_for_others() -> None:
    assert _step("ROLLBACK_COMPLETE", is_free=False) is Verb.REMOVE


def test_a_stack_that_needs_nodes_waits_for_them() -> None:
    wanted = [WantedStack(name="addons", needs_nodes=True)]
    assert next_steps(wanted, (), {}, {}, has_nodes=False)[0].verb is Verb.HOLD
    assert next_steps(wanted, (), {}, {}, has_nodes=True)[0].verb is Verb.CREATE


def test_an_unwanted_stack_goes_last() -> None:
    wanted = [WantedStack(name="a")]
    old = {"old": SeenStack(name="old", status="CREATE_COMPLETE")}
    assert next_steps(wanted, ["old"], old, {}, has_nodes=True)[1].verb is Verb.HOLD
    whole = {**old, "a": SeenStack(name="a", status="CREATE_COMPLETE")}
    done = {"a": frozenset({Verb.CREATE})}
    assert next_steps(wanted, ["old"], whole, done, has_nodes=True)[1].verb is Verb.REMOVE
    gone = {"a": whole["a"]}
    assert is_over(next_steps(wanted, ["old"], gone, done, has_nodes=True))
    done["old"] = frozenset({Verb.REMOVE})
    failed = {**whole, "old": SeenStack(name="old", status="DELETE_FAILED", reason="in use")}
    assert (
        next_steps(wanted, ["old"], failed, done, has_nodes=True)[1].why == "DELETE_FAILED: in use"
    )


def test_an_unwanted_stack_goes_first_where_it_uses_what_the_others_lose() -> None:
    wanted = [WantedStack(name="cluster"), WantedStack(name="new", after=("cluster",))]
    seen = {name: SeenStack(name=name, status="CREATE_COMPLETE") for name in ("cluster", "old")}

    def verbs(tried: dict[str, frozenset[Verb]]) -> list[Verb]:
        steps = next_steps(wanted, ["old"], seen, tried, has_nodes=True, removes_first=True)
        return [one.verb for one in steps]

    assert verbs({}) == [Verb.HOLD, Verb.HOLD, Verb.REMOVE]
    seen["old"] = replace(seen["old"], status="DELETE_IN_PROGRESS")
    assert verbs({"old": frozenset({Verb.REMOVE})}) == [Verb.HOLD, Verb.HOLD, Verb.WAIT]
    del seen["old"]
    assert verbs({"old": frozenset({Verb.REMOVE})}) == [Verb.ASK_CHANGE, Verb.HOLD, Verb.DONE]


def test_after_a_failure_nothing_new_begins_and_what_runs_is_waited_for() -> None:
    wanted = [WantedStack(name=name) for name in ("bad", "running", "new")]
    seen = {
        "bad": SeenStack(name="bad", status="ROLLBACK_COMPLETE", reason="no capacity"),
        "running": SeenStack(name="running", status="CREATE_IN_PROGRESS"),
    }
    tried = {"bad": frozenset({Verb.CREATE}), "running": frozenset({Verb.CREATE})}
    steps = next_steps(wanted, (), seen, tried, has_nodes=True)
    assert [one.verb for one in steps] == [Verb.FAILED, Verb.WAIT, Verb.HOLD]
    assert steps[0].why == "ROLLBACK_COMPLETE: no capacity"
    assert not is_over(steps)
    seen["running"] = replace(seen["running"], status="CREATE_COMPLETE")
    assert is_over(next_steps(wanted, (), seen, tried, has_nodes=True))


def test_stacks_that_wait_for_each_other_are_a_mistake() -> None:
    circle = [WantedStack(name="a", after=("b",)), WantedStack(name="b", after=("a",))]
    with pytest.raises(ValueError, match="wait for each other: a, b"):
        next_steps(circle, (), {}, {}, has_nodes=True)


# Random histories


@dataclass
class World:
    """A CloudFormation in which each call and each passing of time ends as a random choice says."""

    choices: list[bool]
    stacks: dict[str, SeenStack] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)

    def _chance(self) -> bool:
        return self.choices.pop() if self.choices else True

    def do(self, step: Step) -> None:
        name, now = step.stack, self.stacks.get(step.stack)
        if step.verb is Verb.CREATE:
            assert now is None, "CreateStack of a stack that exists is refused"
            self.created[name] = self.created.get(name, 0) + 1
            self._set(name, "CREATE_IN_PROGRESS")
        elif step.verb is Verb.REMOVE:
            self._set(name, "DELETE_IN_PROGRESS")
        elif step.verb is Verb.ASK_CHANGE:
            assert now is not None
            assert now.status in STEADY
            self.stacks[name] = replace(now, change=PENDING)
        elif step.verb in {Verb.DROP_CHANGE, Verb.KEEP}:
            assert now is not None
            self.stacks[name] = replace(now, change=None)
        elif step.verb is Verb.EXECUTE:
            assert now is not None
            assert now.change == READY
            self._set(name, "UPDATE_IN_PROGRESS")
        elif step.verb is Verb.CONTINUE:
            self._set(name, "UPDATE_ROLLBACK_IN_PROGRESS")
        else:
            assert step.verb is Verb.REVERT
            self._set(name, "UPDATE_ROLLBACK_IN_PROGRESS")

    def _set(self, name: str, status: str) -> None:
        self.stacks[name] = SeenStack(name=name, status=status)

    def pass_time(self) -> None:
        for name, one in list(self.stacks.items()):
            if one.change == PENDING:
                self.stacks[name] = replace(one, change=READY if self._chance() else EMPTY)
            if not is_moving(one.status):
                continue
            ended = {
                "CREATE_IN_PROGRESS": ("CREATE_COMPLETE", "ROLLBACK_COMPLETE"),
                "UPDATE_IN_PROGRESS": ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
                "UPDATE_ROLLBACK_IN_PROGRESS": (
                    "UPDATE_ROLLBACK_COMPLETE",
                    "UPDATE_ROLLBACK_FAILED",
                ),
                "DELETE_IN_PROGRESS": ("DELETE_COMPLETE", "DELETE_FAILED"),
            }[one.status][0 if self._chance() else 1]
            if ended == "DELETE_COMPLETE":
                del self.stacks[name]
            else:
                self._set(name, ended)


WANTED = (
    WantedStack(name="cluster"),
    WantedStack(name="nodes", after=("cluster",)),
    WantedStack(name="gpu", after=("cluster",)),
    WantedStack(name="addons", after=("cluster", "nodes"), needs_nodes=True),
)
_NAMES = tuple(one.name for one in WANTED)


def _run(world: World, *, acts: int | None = None, removes_first: bool = False) -> bool:
    """Converge a world until it is over or that many things were done; return whether all is whole."""
    tried: dict[str, frozenset[Verb]] = {}
    for _ in range(300):
        steps = next_steps(
            WANTED, ["old"], world.stacks, tried, has_nodes=True, removes_first=removes_first
        )
        if is_over(steps):
            return all(one.verb is Verb.DONE for one in steps)
        for step in steps:
            if not step.verb.is_act:
                continue
            if acts is not None and acts == 0:
                return False
            acts = None if acts is None else acts - 1
            world.do(step)
            tried[step.stack] = tried.get(step.stack, frozenset()) | {step.verb}
        world.pass_time()
    raise AssertionError(f"it never ends: {steps}")


_statuses = st.sampled_from(
    sorted(STEADY | BROKEN | {"UPDATE_ROLLBACK_FAILED", "CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
)
_worlds = st.builds(
    lambda statuses, choices: World(
        choices, {name: SeenStack(name=name, status=status) for name, status in statuses.items()}
    ),
    st.dictionaries(st.sampled_from([*_NAMES, "old"]), _statuses),
    st.lists(st.booleans(), max_size=12),
)


@given(_worlds, st.booleans())
def test_whatever_happens_a_run_ends_and_does_what_can_be_done(
    world: World, removes_first: bool
) -> None:
    before = set(world.stacks)
    if _run(world, removes_first=removes_first):
        assert set(world.stacks) == set(_NAMES)
        assert all(one.status in STEADY for one in world.stacks.values())
    assert all(count == 1 for count in world.created.values()), "one try in one run"
    assert set(world.stacks) <= {*before, *_NAMES}


@given(_worlds, st.lists(st.integers(min_value=0, max_value=6), max_size=5))
def test_a_run_that_is_broken_off_anywhere_is_finished_by_later_ones(
    world: World, broken_off: list[int]
) -> None:
    for acts in broken_off:
        _run(world, acts=acts)
    world.choices.clear()  # from here on all goes well
    assert _run(world)
    assert set(world.stacks) == set(_NAMES)
    assert all(one.status in STEADY for one in world.stacks.values())


# Images

_KEPT = Pin(image_id="ami-old", source="/aws/service/x")
_NOW = Pin(image_id="ami-new", source="/aws/service/x")


@pytest.mark.parametrize(
    ("kept", "current", "refresh", "image", "newer"),
    [
        (None, _NOW, False, "ami-new", ""),
        (_KEPT, _NOW, False, "ami-old", "ami-new"),
        (_KEPT, _NOW, True, "ami-new", ""),
        (_KEPT, replace(_NOW, source="/aws/service/y"), False, "ami-new", ""),
        (_KEPT, _KEPT, False, "ami-old", ""),
        (replace(_KEPT, image_id=""), _NOW, False, "ami-new", ""),
    ],
)
def test_an_image_stays_until_its_source_changes_or_the_user_asks(
    kept: Pin | None, current: Pin, refresh: bool, image: str, newer: str
) -> None:
    choice = chosen_image(kept, current, refresh=refresh)
    assert (choice.pin.image_id, choice.newer) == (image, newer)
