"""Change sets by which a run looks: one that a killed run left is removed, one of a run that is at work is let alone."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("boto3")

from lowtide.app import preview
from lowtide.app.patience import Patience
from lowtide.app.this_process import this_process
from lowtide.aws.live.stacks import LiveChange, StackRequest
from lowtide.model.stacks import ChangeState, SeenChange

REQUEST = StackRequest(name="lowtide-tide-cluster", body="{}")
NAME = "lowtide-plan-12345678"


class ChangeSets:
    """Change sets of one stack by name, each with its maker; one of a name that is there stays, as in ``Stacks``."""

    def __init__(self, **there: str) -> None:
        self.there = there
        self.dropped: list[str] = []

    def ask_change(self, _request: StackRequest, *, name: str, maker: str) -> str:
        self.there.setdefault(name, maker)
        return name

    def change(self, _stack: str, *, name: str) -> LiveChange | None:
        if name not in self.there:
            return None
        seen = SeenChange(state=ChangeState.READY)
        return LiveChange(id=name, seen=seen, maker=self.there[name])

    def drop_change(self, _stack: str, *, name: str) -> None:
        self.dropped.append(name)
        del self.there[name]


def _asked(sets: Any) -> str:
    return preview._asked(sets, REQUEST, NAME, Patience(5, "lowtide up"))


def _ended() -> str:
    """Return this process's words with a start that it did not have."""
    return f"{this_process().rpartition(' ')[0]} 1"


@pytest.mark.skipif(not this_process(), reason="only Linux tells processes apart")
def test_a_change_set_of_a_killed_run_is_made_anew() -> None:
    sets = ChangeSets(**{NAME: _ended()})
    assert _asked(sets) == NAME
    assert sets.dropped == [NAME]
    assert sets.there == {NAME: this_process()}


def test_a_change_set_of_a_run_at_work_is_left_to_it() -> None:
    sets = ChangeSets(**{NAME: "somewhere else"})
    name = _asked(sets)
    assert name != NAME
    assert sets.dropped == []
    assert sets.there == {NAME: "somewhere else", name: this_process()}


def test_where_there_is_none_it_is_asked_for_once() -> None:
    sets = ChangeSets()
    assert _asked(sets) == NAME
    assert sets.there == {NAME: this_process()}
