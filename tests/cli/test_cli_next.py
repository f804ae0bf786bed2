"""What a command names as next can be typed as it stands, where it was said."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lowtide = Callable[..., Any]


def _named(said: str) -> list[list[str]]:
    _, _, commands = said.partition("\nNext:\n")
    return [shlex.split(line) for line in commands.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("has_file", [False, True], ids=["nothing here", "a cluster file here"])
@pytest.mark.parametrize(
    "verb", [("demo",), ("init", "-f", "b.yaml"), ("prices", "--gpu", "T4"), ("plan",), ("check",)]
)
def test_the_next_steps_can_be_typed(
    lowtide: Lowtide, verb: tuple[str, ...], *, has_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowtide.app.html.can_write_html", lambda: False)  # which takes seconds
    if has_file:
        assert lowtide("init").code == 0
    said = lowtide(*verb)
    if said.code:
        assert verb in {("plan",), ("check",)}
        assert not has_file, said.err
        return
    offline = [one for one in _named(said.err) if "--live" not in one]
    for program, *words in offline:
        assert program == "lowtide"
        ran = lowtide(*words)
        assert ran.code == 0, (words, ran.err)


def test_where_a_cluster_file_is_prices_do_not_offer_to_write_one(lowtide: Lowtide) -> None:
    assert "lowtide init --gpu-type" in lowtide("prices", "--gpu", "T4").err
    Path("cluster.yaml").touch()
    assert "lowtide init" not in lowtide("prices", "--gpu", "T4").err
