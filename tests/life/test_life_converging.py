"""Stacks are brought to what they shall be, whatever state an earlier run left them in, and wherever a run is killed."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("boto3")

from lowtide.app.converging import Convergence, Goal, Hooks
from lowtide.app.patience import Patience
from lowtide.aws.live.stacks import StackRequest
from lowtide.model.errors import AwsError, LowtideError
from lowtide.model.live_plan import Progress, StackResult
from lowtide.model.stacks import ResourceChange, WantedStack
from tests.life.cloudformation import FakeStacks

WANTED = (
    WantedStack(name="cluster"),
    WantedStack(name="general", after=("cluster",)),
    WantedStack(name="gpu", after=("cluster",)),
    WantedStack(name="addons", after=("cluster",), needs_nodes=True),
)
REQUESTS = {one.name: StackRequest(name=one.name, body=f"{one.name} 1") for one in WANTED}
CHANGED = {name: replace(one, body=f"{name} 2") for name, one in REQUESTS.items()}
GOAL = Goal(wanted=WANTED, requests=REQUESTS)


class Killed(BaseException):
    """The process is gone."""


class Run:
    """What a run told and asked."""

    def __init__(self, stacks: FakeStacks) -> None:
        self.stacks = stacks
        self.told: list[Progress] = []
        self.whole: list[str] = []
        self.nodes_after = 3
        self.asked_nodes = 0

    def _has_nodes(self) -> bool:
        self.asked_nodes += 1
        assert self.stacks.statuses()["cluster"].endswith("_COMPLETE"), "no cluster to ask"
        return self.asked_nodes >= self.nodes_after

    def __call__(self, goal: Goal = GOAL, *, timeout_s: float = 1000) -> dict[str, str]:
        hooks = Hooks(
            tell=self.told.append,
            has_nodes=self._has_nodes,
            why_no_nodes=lambda: "no capacity",
            when_whole=self.whole.append,
        )
        patience = Patience(timeout_s, "lowtide up", sleep=lambda _: None)
        results = Convergence(self.stacks, goal, hooks, patience).run()
        return {one.name: one.done for one in results}


@pytest.fixture
def stacks() -> FakeStacks:
    return FakeStacks()


def _all(done: str) -> dict[str, str]:
    return {one.name: done for one in WANTED}


def test_all_stacks_are_created_those_that_can_at_the_same_time(stacks: FakeStacks) -> None:
    run = Run(stacks)
    assert run() == _all("created")
    names = [name for _, name in stacks.mutations]
    assert names[0] == "cluster"
    assert set(names[1:3]) == {"general", "gpu"}
    assert names[3] == "addons"
    assert run.whole[0] == "cluster"
    assert sorted(run.whole) == sorted(REQUESTS)
    both = [one.subject for one in run.told if one.status == "CREATE_IN_PROGRESS"]
    assert both == ["cluster", "general", "gpu", "addons"]


def test_independent_stacks_are_created_while_the_other_is_still_under_way(
    stacks: FakeStacks,
) -> None:
    others: dict[str, dict[str, str]] = {}

    def note(number: int, when: str) -> None:
        if when == "after" and stacks.mutations[number - 1][0] == "create":
            name = stacks.mutations[number - 1][1]
            others[name] = {one: now for one, now in stacks.statuses().items() if one != name}

    stacks.hook = note
    Run(stacks)()
    assert others == {
        "cluster": {},
        "general": {"cluster": "CREATE_COMPLETE"},
        "gpu": {"cluster": "CREATE_COMPLETE", "general": "CREATE_IN_PROGRESS"},
        "addons": dict.fromkeys(("cluster", "general", "gpu"), "CREATE_COMPLETE"),
    }


def test_a_second_run_changes_nothing(stacks: FakeStacks) -> None:
    Run(stacks)()
    stacks.mutations.clear()
    assert Run(stacks)() == _all("unchanged")
    assert {what for what, _ in stacks.mutations} == {"ask_change", "drop_change"}


def test_stacks_that_are_known_to_be_as_they_shall_be_are_not_asked_again(
    stacks: FakeStacks,
) -> None:
    Run(stacks)()
    stacks.mutations.clear()
    assert Run(stacks)(replace(GOAL, kept=frozenset(REQUESTS))) == _all("unchanged")
    assert stacks.mutations == []


def test_a_changed_template_is_executed_as_a_change_set(stacks: FakeStacks) -> None:
    Run(stacks)()
    goal = replace(GOAL, requests={**REQUESTS, "gpu": CHANGED["gpu"]})
    assert Run(stacks)(goal) == {**_all("unchanged"), "gpu": "changed"}
    assert stacks.bodies()["gpu"] == "gpu 2"


@pytest.mark.parametrize(
    ("status", "removed"),
    [
        ("ROLLBACK_COMPLETE", True),
        ("ROLLBACK_FAILED", True),
        ("CREATE_FAILED", True),
        ("DELETE_FAILED", True),
        ("REVIEW_IN_PROGRESS", True),
        ("CREATE_IN_PROGRESS", False),
        ("UPDATE_ROLLBACK_FAILED", False),
        ("UPDATE_FAILED", False),
    ],
)
def test_a_stack_of_an_earlier_run_is_repaired_followed_or_removed_and_never_taken_for_whole(
    status: str, removed: bool, stacks: FakeStacks
) -> None:
    stacks.put(REQUESTS["cluster"], status, "You have reached the maximum number of VPCs")
    run = Run(stacks)
    assert run()["cluster"] == ("created" if removed else "unchanged")
    assert stacks.statuses()["cluster"] in {"CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
    if removed:
        told = next(one for one in run.told if one.status == "is removed and created again")
        assert "maximum number of VPCs" in told.reason


def test_a_failed_stack_is_named_with_its_first_cause_and_the_next_run_repairs_it(
    stacks: FakeStacks,
) -> None:
    stacks.failing["gpu"] = "no such subnet"
    with pytest.raises(AwsError) as raised:
        Run(stacks)()
    assert raised.value.what == "Stack gpu failed"
    assert raised.value.why == "Vpc (AWS::EC2::VPC) CREATE_FAILED: no such subnet"
    assert raised.value.exit_code == 4
    assert stacks.statuses()["general"] == "CREATE_COMPLETE", "what was under way was waited for"
    assert "addons" not in stacks.statuses(), "nothing new began"
    assert Run(stacks)() == {**_all("unchanged"), "gpu": "created", "addons": "created"}


def test_a_failed_change_is_rolled_back_named_and_tried_again_by_the_next_run(
    stacks: FakeStacks,
) -> None:
    Run(stacks)()
    stacks.failing["gpu"] = "bad type"
    goal = replace(GOAL, requests={**REQUESTS, "gpu": CHANGED["gpu"]})
    with pytest.raises(AwsError) as raised:
        Run(stacks)(goal)
    assert "bad type" in raised.value.why


def test_a_stack_that_is_in_no_file_any_more_goes_last(stacks: FakeStacks) -> None:
    old = StackRequest(name="old", body="old")
    stacks.put(old, "CREATE_COMPLETE")
    result = Run(stacks)(replace(GOAL, unwanted=("old",)))
    assert result == {**_all("created"), "old": "deleted"}
    assert "old" not in stacks.statuses()
    assert stacks.mutations[-1] == ("remove", "old")


def test_a_change_set_that_an_earlier_run_left_is_not_executed(stacks: FakeStacks) -> None:
    Run(stacks)()
    stacks.ask_change(replace(REQUESTS["gpu"], body="of another file"))
    assert Run(stacks)() == _all("unchanged")
    assert stacks.bodies()["gpu"] == "gpu 1"


def test_what_was_not_shown_is_neither_replaced_nor_deleted(stacks: FakeStacks) -> None:
    Run(stacks)()
    line = ResourceChange(
        logical_id="Cluster", type="AWS::EKS::Cluster", action="Modify", replaces="True"
    )
    stacks.lines["cluster"] = (line,)
    goal = replace(GOAL, requests=CHANGED)
    with pytest.raises(LowtideError, match="would replace or delete what was not shown") as raised:
        Run(stacks)(goal)
    assert "Cluster (AWS::EKS::Cluster)" in raised.value.why
    assert stacks.bodies()["cluster"] == "cluster 1"
    shown = frozenset({("Cluster", "Modify", "True")})
    assert Run(stacks)(replace(goal, approved={"cluster": shown}))["cluster"] == "changed"


def test_a_wait_without_end_is_ended_with_the_command_that_goes_on(stacks: FakeStacks) -> None:
    run = Run(stacks)
    run.nodes_after = 10**9
    with pytest.raises(LowtideError) as raised:
        run(timeout_s=0.05)
    assert (raised.value.where, raised.value.why) == ("nodes", "no capacity")
    told = [one.reason for one in run.told if one.subject == "nodes"]
    assert told == ["no capacity"], "once, however often it is looked at"
    assert raised.value.fix.startswith("lowtide up goes on from here")


def test_no_change_is_made_once_the_lease_is_lost(stacks: FakeStacks) -> None:
    def lost() -> None:
        raise LowtideError("lost")

    hooks = Hooks(tell=lambda _: None, has_nodes=lambda: True, before_act=lost)
    with pytest.raises(LowtideError, match="lost"):
        Convergence(stacks, GOAL, hooks, Patience(10, "", sleep=lambda _: None)).run()
    assert stacks.mutations == []


def _kill_at(number: int, moment: str, stacks: FakeStacks) -> bool:
    """Kill a run at a call that changes something; False where it has fewer."""

    def kill(count: int, when: str) -> None:
        if (count, when) == (number, moment):
            raise Killed

    stacks.mutations.clear()
    stacks.hook = kill
    try:
        Run(stacks)(_world_goal())
    except Killed:
        return True
    except AwsError:
        pass  # the world has a stack that fails once
    finally:
        stacks.hook = lambda _count, _when: None
    return len(stacks.mutations) >= number


def _world_goal() -> Goal:
    return replace(GOAL, requests={**REQUESTS, "cluster": CHANGED["cluster"]}, unwanted=("old",))


def _world() -> FakeStacks:
    """Something to change, to repair, to create and to delete."""
    stacks = FakeStacks()
    stacks.put(REQUESTS["cluster"], "CREATE_COMPLETE")
    stacks.put(REQUESTS["general"], "ROLLBACK_COMPLETE", "once")
    stacks.put(StackRequest(name="old", body="old"), "CREATE_COMPLETE")
    return stacks


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_any_call_is_finished_by_the_next_one(moment: str) -> None:
    whole = _world()
    Run(whole)(_world_goal())
    count = len(whole.mutations)
    assert count >= 7
    for number in range(1, count + 1):
        stacks = _world()
        assert _kill_at(number, moment, stacks), number
        Run(stacks)(_world_goal())
        assert stacks.bodies() == whole.bodies(), (number, moment)
        assert all(one.endswith("_COMPLETE") for one in stacks.statuses().values())
        creations = [who for what, who in stacks.mutations if what == "create"]
        assert len(creations) == len(set(creations))


def test_results_say_how_long_each_stack_took(stacks: FakeStacks) -> None:
    hooks = Hooks(tell=lambda _: None, has_nodes=lambda: True)
    found = Convergence(stacks, GOAL, hooks, Patience(10, "", sleep=lambda _: None)).run()
    assert all(isinstance(one, StackResult) and one.seconds >= 0 for one in found)
