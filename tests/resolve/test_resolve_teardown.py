"""Stacks go in the reverse of their creation; what is in the way of the network is told from what goes by itself."""

from __future__ import annotations

import pytest

from lowtide.model.remains import DATA, Choice, Remain, to_remove
from lowtide.model.stacks import SeenStack, Verb
from lowtide.resolve.converge import next_steps
from lowtide.resolve.teardown import in_the_way, left_by_nodes, phases


def _remain(kind: str, found_by: str = "kubernetes.io/cluster/x=owned", **more: str) -> Remain:
    return Remain(kind=kind, id="1", found_by=found_by, command="", **more)  # type: ignore[arg-type]


def test_the_stack_on_which_all_stand_goes_last_and_the_others_at_once() -> None:
    assert phases(["c", "b", "a"], "b") == (("a", "c"), ("b",))
    assert phases(["b"], "b") == (("b",),)
    assert phases(["a"], "b") == (("a",),), "a run that was broken off may have left any"
    assert phases([], "b") == ()


@pytest.mark.parametrize(
    ("remain", "expected"),
    [
        (_remain("load balancer"), True),
        (_remain("security group"), True),
        (_remain("security group", "lowtide.dev/cluster=x"), False),
        (_remain("security group", "aws:eks:cluster-name=x"), False),
        (_remain("network interface", "description Amazon EKS x"), False),
        (_remain("volume"), False),
    ],
)
def test_what_no_stack_made_and_eks_leaves_is_in_the_way(remain: Remain, expected: bool) -> None:
    assert in_the_way(remain) is expected


def test_only_interfaces_that_nobody_uses_are_left_by_nodes() -> None:
    tag = "cluster.k8s.amazonaws.com/name=x"
    assert left_by_nodes(_remain("network interface", tag, type="available"))
    assert not left_by_nodes(_remain("network interface", tag, type="in-use"))
    assert not left_by_nodes(_remain("network interface", type="available"))


def test_a_sweep_takes_what_was_chosen_and_nothing_else() -> None:
    things = [
        _remain("log group"),
        _remain("role", elsewhere="eu-west-1"),
        *(_remain(one) for one in sorted(DATA)),
    ]

    def chosen(choice: Choice) -> list[str]:
        return [one.kind for one in to_remove(things, choice)]

    assert chosen(Choice()) == []
    assert chosen(Choice(delete_volumes=True)) == []
    assert chosen(Choice(sweep=True)) == ["log group"]
    assert chosen(Choice(sweep=True, keep=frozenset({"log group"}))) == []
    assert chosen(Choice(sweep=True, delete_volumes=True)) == ["log group", "snapshot", "volume"]


def test_a_stack_that_is_only_being_created_goes_at_once_and_is_asked_once() -> None:
    def step(status: str, *tried: Verb, stale: bool = False) -> Verb:
        seen = {"a": SeenStack(name="a", status=status, is_stale=stale)}
        done = {"a": frozenset(tried)}
        return next_steps((), ["a"], seen, done, has_nodes=False)[0].verb

    assert step("CREATE_IN_PROGRESS") is Verb.REMOVE
    assert step("CREATE_IN_PROGRESS", stale=True) is Verb.WAIT
    assert step("CREATE_IN_PROGRESS", Verb.REMOVE) is Verb.WAIT, "its events may lag behind"
    assert step("UPDATE_IN_PROGRESS") is Verb.WAIT, "CloudFormation refuses to delete that"
    assert step("DELETE_IN_PROGRESS") is Verb.WAIT
