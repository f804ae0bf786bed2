"""The priority expander's table: what is read, and what counts as no table."""

from __future__ import annotations

import re

import pytest

from lowtide.kube.priorities import parse_priorities


def test_a_table_maps_priorities_to_patterns() -> None:
    text = "10: [.*]\n50:\n  - .*spot.*\n  - gpu-7\n"
    assert parse_priorities(text) == {10: (".*",), 50: (".*spot.*", "gpu-7")}


def test_gos_end_of_text_is_understood() -> None:
    table = parse_priorities(r"""50: ['(?i)GPU-a\z', 'x\\z']""")
    assert table is not None
    end, backslash = table[50]
    assert re.fullmatch(end, "gpu-a")
    assert not re.search(end, "gpu-a-2")
    assert re.search(backslash, r"x\z")


@pytest.mark.parametrize(
    "text",
    [
        "no table",
        "50: gpu",
        "50: [[a]]",
        ".inf: [a]",
        "50: ['a{1,99999999999}']",
        "50: ['(']",
        "50: [!!int '']",
        "[" * 5000,
        "50: ['" + "(" * 500 + ")" * 500 + "*+']",
        r"50: ['\pL']",
        "50: &a [*a]",
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_table_counts_as_none(text: str) -> None:
    assert parse_priorities(text) is None


def test_nested_aliases_are_refused_without_being_unrolled() -> None:
    rows = ["1: &l1 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(2, 30)]
    assert parse_priorities("\n".join(rows)) is None
