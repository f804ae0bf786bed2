"""Values of options that look right to a parser and are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lowtide = Callable[..., Any]


@pytest.mark.parametrize("verb", ["simulate", "compare", "demo"])
@pytest.mark.parametrize("seed", ["-5", "1.5", "", "9" * 5000])
def test_a_seed_is_a_whole_number_from_zero_on(lowtide: Lowtide, verb: str, seed: str) -> None:
    files = ["a.yaml", "b.yaml"] if verb == "compare" else []
    ran = lowtide(verb, *files, f"--seed={seed}")
    assert ran.code == 2
    assert "'--seed'" in ran.err
    assert all(len(line) < 200 for line in ran.err.splitlines())


def test_types_without_a_gpu_are_named_where_a_gpu_is_wanted(lowtide: Lowtide) -> None:
    ran = lowtide("prices", "--gpu", "any", "--type", "m5.large")
    assert ran.code == 2
    assert "m5.large: without a GPU" in ran.err
    assert "next:  lowtide prices --type m5.large" in ran.err


@pytest.mark.parametrize("name", ["yes", "N", "null", "Off", "true"])
def test_a_name_that_yaml_takes_for_something_else_is_quoted(lowtide: Lowtide, name: str) -> None:
    assert lowtide("init", "--name", name).code == 0
    assert lowtide("check", "--strict").code == 0


def test_init_refuses_more_nodes_than_a_group_can_have(lowtide: Lowtide) -> None:
    ran = lowtide("init", "--max", str(2**31))
    assert ran.code == 2
    assert "2147483647" in ran.err


def test_check_refuses_a_flag_that_the_autoscaler_does_not_have(lowtide: Lowtide) -> None:
    assert lowtide("init").code == 0
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nautoscaler: {flags: {no-such-flag: 1}}\n"
    )
    ran = lowtide("check", "-o", "json")
    assert ran.code == 3
    assert [one["name"] for one in ran.document["findings"]] == ["autoscaler-flag"]
