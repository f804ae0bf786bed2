"""The question before anything is spent or deleted."""

from __future__ import annotations

import click
import pytest

from lowtide.cli.confirm import confirmed, refuse_above
from lowtide.model.errors import ChecksFailed, InputError
from tests.terminal import Terminal


def _asked(answer: str | None, monkeypatch: pytest.MonkeyPatch, *, yes: bool = False) -> None:
    @click.command()
    def verb() -> None:
        if answer is not None:
            monkeypatch.setattr("sys.stdin", Terminal(answer))
        confirmed("what would happen", "Do it?", yes=yes, command="lowtide up -f a.yaml")

    verb.main([], standalone_mode=False)


def test_yes_is_taken_from_the_flag_or_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    _asked(None, monkeypatch, yes=True)
    _asked("y", monkeypatch)


@pytest.mark.parametrize("answer", ["n", "", None])
def test_anything_else_is_no(answer: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as raised:
        _asked(answer, monkeypatch)
    assert ("lowtide up -f a.yaml --yes" in raised.value.fix) == (answer is None)


def test_a_limit_refuses_what_may_cost_more() -> None:
    refuse_above(None, 100.0, source="x")
    refuse_above(2.0, 2.0, source="x")
    with pytest.raises(ChecksFailed) as raised:
        refuse_above(2.0, 2.01, source="--max-usd-per-hour")
    assert raised.value.where == "--max-usd-per-hour"
