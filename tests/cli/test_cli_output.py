"""Colour, width and progress are for terminals; files and pipes get plain text."""

from __future__ import annotations

import io

import pytest

from lowtide.cli.output import has_color, width_of
from lowtide.cli.progress import WIPE_LINE, Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Real time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_has_colour_and_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert has_color(Terminal())
    assert width_of(Terminal()) == 77


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_dumb_terminals_get_none(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert not has_color(Terminal())


def test_a_pipe_has_neither_colour_nor_width() -> None:
    assert not has_color(io.StringIO())
    assert width_of(io.StringIO()) is None


def drawn(stream: io.StringIO, *calls: tuple[float, int]) -> str:
    """Return what a progress line draws when it is called after so many seconds, with so much virtual time."""
    clock = Clock()
    with Progress("simulating", stream=stream, clock=clock) as progress:
        for wait_s, virtual_ms in calls:
            clock.now_s += wait_s
            progress(virtual_ms)
    return stream.getvalue()


def test_progress_is_silent_for_two_seconds() -> None:
    assert drawn(Terminal(), (1.9, 3_600_000)) == ""


def test_progress_shows_elapsed_time_and_wipes_itself() -> None:
    text = drawn(Terminal(), (3, 7_200_000))
    assert text == "\rsimulating: 2.0 h of cluster time in 3 s" + WIPE_LINE


def test_progress_redraws_no_more_often_than_the_eye_can_follow() -> None:
    text = drawn(Terminal(), (3, 1000), *[(0.0625, 1000)] * 16)
    assert text.count("simulating") == 5


def test_progress_never_draws_into_a_log_file() -> None:
    assert drawn(io.StringIO(), (60, 1000)) == ""
