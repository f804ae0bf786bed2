"""Two runs on one cluster: whoever comes second is told before anything is shown, and a stack that vanishes is told in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.app.this_process import this_process
from lowtide.aws.live.account import Account
from lowtide.aws.live.lease import Holder, Lease
from lowtide.aws.live.stacks import Stacks
from lowtide.cli.main import run
from tests.life import leftovers

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

NAME = "noble-gpu-example"
FIRST = f"lowtide-{NAME}-cluster"
PLAIN: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
WHO = "lowtide down of arn:aws:iam::123456789012:user/ada on ada@desk, since 20"


def _lease(*, process: str = "") -> Lease:
    who = "arn:aws:iam::123456789012:user/ada"
    holder = Holder(id="1", who=who, host="ada@desk", verb="down", process=process)
    return Lease(Account("us-east-1"), NAME, holder)


@pytest.mark.parametrize("verb", ["up", "down"])
@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_whoever_comes_second_is_told_before_anything_is_shown(
    verb: str, yes: tuple[str, ...], served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    leftovers.stack(FIRST, NAME, PLAIN)
    with _lease():
        assert run([verb, *yes]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith(f"another run is at work on cluster {NAME}")
    assert WHO in lines[2]


def test_plan_live_only_looks_and_goes_on(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    with _lease():
        assert run(["plan", "--live"]) == 0
    assert "Account 123456789012" in capsys.readouterr().out


@pytest.mark.skipif(not this_process(), reason="only Linux tells processes apart")
def test_the_lease_of_a_killed_run_of_this_machine_is_nobodys(
    served: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    _lease(process=f"{this_process().rpartition(' ')[0]} 1")._make(1)
    assert run(["up"]) == 2, "nobody can be asked"
    assert "Account 123456789012" in capsys.readouterr().err


@pytest.fixture
def vanishing(served: Serving, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """A cluster whose stack somebody deletes as soon as this run has looked at it; what is put in is done before."""
    leftovers.stack(FIRST, NAME, PLAIN)
    first: list[Callable[[], Any]] = []
    ask = Stacks.ask_change

    def ask_late(stacks: Stacks, *arguments: Any, **named: Any) -> str:
        for one in first:
            one()
        stacks.remove(FIRST)
        leftovers.settle(FIRST)
        return ask(stacks, *arguments, **named)

    monkeypatch.setattr(Stacks, "ask_change", ask_late)
    return first


@pytest.mark.parametrize("command", [["plan", "--live"], ["up", "--yes"]])
def test_a_stack_that_vanishes_under_the_look_is_told_in_words(
    command: list[str],
    vanishing: list[Callable[[], Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(command) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert f"Stack {FIRST} is gone since this run began to look" in lines[0]
    assert "ValidationError" not in "".join(lines)


def test_who_took_it_away_is_told_where_a_lease_says_it(
    vanishing: list[Callable[[], Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    vanishing.append(lambda: _lease()._make(1))
    assert run(["up", "--yes"]) == 1
    assert WHO in capsys.readouterr().err


def test_a_stack_that_is_being_deleted_is_told_so(
    served: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    leftovers.stack(FIRST, NAME, PLAIN)
    ask = Stacks.ask_change

    def ask_late(stacks: Stacks, *arguments: Any, **named: Any) -> str:
        stacks.remove(FIRST)
        return ask(stacks, *arguments, **named)

    monkeypatch.setattr(Stacks, "ask_change", ask_late)
    assert run(["plan", "--live"]) == 1
    assert f"Stack {FIRST} is " in capsys.readouterr().err
