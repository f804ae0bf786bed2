"""The twin does what the real autoscaler did, on every committed recording."""

from __future__ import annotations

import pytest

from tests.conformance.adapter import run
from tests.conformance.compare import EXPLAINED, compare, interchangeable, names
from tests.conformance.recordings import COMMITTED

NUMBERS = ("01", "02", "03", "05", "06", "07", "08", "22")
SCENARIOS = names(COMMITTED, NUMBERS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_desired_nodes_equal_a_recorded_run(name: str) -> None:
    outcome = compare(COMMITTED, name)
    assert outcome.differences == (), EXPLAINED.get(name)


def test_a_number_means_all_its_letters() -> None:
    found = names(COMMITTED, ["05"])
    assert len(found) == 11
    assert {one.split("-")[0] for one in found} == {"05", "05b", "05c", "05d"}
    assert names(COMMITTED, ["0"]) == []


def test_only_groups_alike_but_for_name_and_zone_are_interchangeable() -> None:
    base = {"name": "a", "zone": "1", "max": 3}
    groups = [base, {**base, "name": "b", "zone": "2"}, {**base, "name": "c", "max": 4}]
    assert interchangeable(groups) == [["a", "b"], ["c"]]


def test_the_same_seed_gives_the_same_log_and_another_seed_another_tie() -> None:
    import json

    scenario = json.loads((COMMITTED / "scenarios" / "02-nobalance-random.json").read_text())
    scenario["until_s"] = 60
    first, again = run(scenario, seed=3), run(scenario, seed=3)
    assert first.log == again.log
    zones = {tuple(run(scenario, seed=seed).desired_before(60_000).values()) for seed in range(16)}
    assert len(zones) == 3
