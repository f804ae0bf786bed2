from __future__ import annotations

import pytest

from lowtide.model.go_values import (
    format_duration,
    parse_bool,
    parse_duration_ms,
    parse_float,
    parse_int,
)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("10s", 10_000),
        ("1h30m", 5_400_000),
        ("87600h", 315_360_000_000),
        ("1.5m", 90_000),
        (".5s", 500),
        ("2ms500us", 2),
        ("0", 0),
        ("-5m", -300_000),
        ("+1s", 1000),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["10", "", "s", "1d", "1 m", "m5", "1h30", "--1s", "1.2.3s"])
def test_a_duration_that_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="parse error"):
        parse_duration_ms(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("10", 10), ("-10", -10), ("0x10", 16), ("010", 8), ("0b11", 3), ("0", 0), ("+7", 7)],
)
def test_an_integer_may_have_any_of_gos_bases(text: str, number: int) -> None:
    assert parse_int(text) == number


@pytest.mark.parametrize("text", ["", "1.0", "ten", "08", "1_000", "1e3"])
def test_an_integer_that_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="parse error"):
        parse_int(text)


def test_booleans_are_the_twelve_words_of_go() -> None:
    assert [parse_bool(word) for word in ("1", "t", "T", "TRUE", "true", "True")] == [True] * 6
    assert [parse_bool(word) for word in ("0", "f", "F", "FALSE", "false", "False")] == [False] * 6
    for word in ("yes", "on", "tRUE", ""):
        with pytest.raises(ValueError, match="parse error"):
            parse_bool(word)


def test_floats_take_points_and_exponents() -> None:
    assert [parse_float(text) for text in ("0.5", ".5", "1", "2e-1", "-3.")] == [
        0.5,
        0.5,
        1.0,
        0.2,
        -3.0,
    ]
    with pytest.raises(ValueError, match="parse error"):
        parse_float("half")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (250, "250ms"),
        (45_250, "45.25s"),
        (180_000, "3m0s"),
        (905_250, "15m5.25s"),
        (3_600_500, "1h0m0.5s"),
        (-60_000, "-1m0s"),
    ],
)
def test_a_duration_is_printed_as_go_prints_it_and_read_back(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text
    assert parse_duration_ms(text) == milliseconds
