from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.model.simulation import Simulation
from lowtide.report.series import maximum_per_column, moments, thin, turning_points, zones


def test_moments_follow_each_other_without_a_gap_to_the_end_of_the_run(tide: Simulation) -> None:
    course = moments(tide)
    assert [one.until_ms for one in course[:-1]] == [one.at_ms for one in course[1:]]
    assert course[-1].until_ms == 8_520_000


def test_nodes_by_zone_and_by_group_add_up_to_the_gpu_nodes(tide: Simulation) -> None:
    course = moments(tide)
    assert max(one.gpu_nodes for one in course) == 10
    for one in course:
        assert sum(one.gpu_nodes_by_zone.values()) == one.gpu_nodes
        assert sum(one.gpu_nodes_by_group.values()) == one.gpu_nodes


def test_general_nodes_are_no_gpu_nodes(tide: Simulation) -> None:
    first = moments(tide)[0]
    assert tide.states[0].nodes_by_group["general"] == 1
    assert first.gpu_nodes == 0
    assert "general" not in first.gpu_nodes_by_group


def test_gpus_paid_are_those_of_the_instances_that_exist(tide: Simulation) -> None:
    four_each = replace(
        tide,
        instances=tuple(replace(one, gpus=4 if one.gpus else 0) for one in tide.instances),
    )
    assert [one.gpus_paid for one in moments(tide)] == [one.gpu_nodes for one in moments(tide)]
    assert max(one.gpus_paid for one in moments(four_each)) == 40


def test_two_groups_of_one_zone_are_one_zone(tide: Simulation) -> None:
    same = replace(tide, gpu_groups=(("gpu-spot-a", "us-east-1a"), ("gpu-spot-b", "us-east-1a")))
    assert zones(same) == ("us-east-1a",)
    assert max(one.gpu_nodes_by_zone["us-east-1a"] for one in moments(same)) == 7


def test_of_rows_at_one_time_the_last_one_counts(tide: Simulation) -> None:
    twice = replace(
        tide,
        states=tuple(row for one in tide.states for row in (replace(one, pods_running=999), one)),
    )
    assert moments(twice) == moments(tide)


def test_a_run_without_rows_has_no_moments(tide: Simulation) -> None:
    assert moments(replace(tide, states=())) == ()


def test_thinning_leaves_a_short_run_as_it_is(tide: Simulation) -> None:
    course = moments(tide)
    assert thin(course, 1000) == course


def test_thinning_a_long_run_keeps_every_peak_and_the_ends(
    long_run: Callable[[int], Simulation],
) -> None:
    course = moments(long_run(20_000))
    kept = thin(course, 160)
    assert len(kept) <= 160 * 8
    assert (kept[0].at_ms, kept[-1].until_ms) == (course[0].at_ms, course[-1].until_ms)
    assert [one.until_ms for one in kept[:-1]] == [one.at_ms for one in kept[1:]]
    assert max(one.pods_pending for one in kept) == 777
    for field in ("gpu_nodes", "pods_running", "gpus_used", "usd_per_hour"):
        assert max(getattr(one, field) for one in kept) == max(
            getattr(one, field) for one in course
        )


def test_a_column_shows_the_highest_value_in_its_span(tide: Simulation) -> None:
    columns = maximum_per_column(moments(tide), lambda one: one.gpu_nodes, 12)
    # Waves of 2,195 s from second 14 and from second 6,134 of 8,520; a column is 710 s.
    assert columns == [10, 10, 10, 10, 0, 0, 0, 0, 10, 10, 10, 10]


@pytest.mark.parametrize(
    ("counts", "slack", "turns"),
    [
        ([], 1, ()),
        ([0], 1, (0,)),
        ([0, 4, 7, 10, 10, 3, 0, 0, 10, 0], 2, (0, 10, 0, 10, 0)),
        ([0, 10, 9, 10, 0], 2, (0, 10, 0)),
        ([0, 10, 9, 10, 0], 1, (0, 10, 9, 10, 0)),
        ([0, 1, 0, 1], 1, (0, 1, 0, 1)),
        ([0, 10, 9], 2, (0, 10, 9)),
        ([2, 4], 1, (2, 4)),
    ],
)
def test_turning_points_are_where_a_count_turns(
    counts: list[int], slack: int, turns: tuple[int, ...]
) -> None:
    assert turning_points(counts, slack=slack) == turns


@given(st.lists(st.integers(0, 20), min_size=1), st.integers(1, 5))
def test_turning_points_start_and_end_as_the_count_does_and_are_never_equal_neighbours(
    counts: list[int], slack: int
) -> None:
    turns = turning_points(counts, slack=slack)
    assert (turns[0], turns[-1]) == (counts[0], counts[-1])
    assert all(one != other for one, other in itertools.pairwise(turns))
    assert set(turns) <= set(counts)


def test_an_instance_that_shuts_down_is_no_longer_paid_for(tide: Simulation) -> None:
    stopping = replace(
        tide,
        instances=tuple(
            replace(one, terminating_ms=one.ended_ms - 60_000) if one.gpus and one.ended_ms else one
            for one in tide.instances
        ),
    )
    before, after = (sum(one.gpus_paid for one in moments(run)) for run in (tide, stopping))
    assert after < before
    assert [one.gpu_nodes for one in moments(stopping)] == [one.gpu_nodes for one in moments(tide)]
