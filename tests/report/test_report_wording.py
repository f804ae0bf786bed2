from __future__ import annotations

import pytest

from lowtide.report.wording import (
    clock_text,
    count_text,
    duration_text,
    percent_text,
    printable,
    tick_step,
    usd_text,
)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (0.42, "0.4s"),
        (3.0, "3s"),
        (59.6, "1m"),
        (221, "3m41s"),
        (248, "4m08s"),
        (3600, "1h"),
        (3599.9, "1h"),
        (5400, "1h30m"),
        (8520, "2h22m"),
        (86_399, "1d"),
        (187_200, "2d4h"),
        (-60, "-1m"),
    ],
)
def test_a_duration_is_said_in_two_units_at_most(seconds: float, said: str) -> None:
    assert duration_text(seconds) == said


def test_a_moment_is_a_clock_from_the_start_of_the_run() -> None:
    assert [clock_text(s) for s in (0, 3723.9, 90_061)] == ["0:00:00", "1:02:03", "1d 1:01:01"]


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (0, "$0.00"),
        (0.0042, "$0.0042"),
        (0.096, "$0.10"),
        (6.214, "$6.21"),
        (1234.5, "$1,234.50"),
        (12_345.6, "$12,346"),
        (-2.5, "-$2.50"),
    ],
)
def test_dollars_show_the_digits_that_matter(usd: float, said: str) -> None:
    assert usd_text(usd) == said


def test_percentages_and_counts_read_as_words() -> None:
    assert [percent_text(s) for s in (0, 0.004, 0.836, 12.5)] == ["0 %", "0.4 %", "84 %", "1,250 %"]
    assert [count_text(n, "pod") for n in (0, 1, 1200)] == ["0 pods", "1 pod", "1,200 pods"]
    assert count_text(2, "pod was", "pods were") == "2 pods were"


def test_no_control_character_reaches_the_terminal() -> None:
    said = printable("a\x1b[31mb\x9bc\u202ed\te\nf")
    assert said == "a\\x1b[31mb\\x9bc\\x202ed e f"
    assert printable(said) == said


def test_ticks_are_as_close_as_there_is_room() -> None:
    assert [tick_step(s, 6) for s in (10, 3600, 8520, 57 * 86_400)] == [2, 600, 1800, 1_209_600]
    assert tick_step(400 * 86_400, 6) % 86_400 == 0
