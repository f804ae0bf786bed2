"""What the cluster costs per hour at each moment."""

from __future__ import annotations

import pytest

from lowtide.explain.rates import priced_states
from lowtide.explain.sweep import Level, Span, timeline_of
from tests.explain.records import (
    HOUR,
    MINUTE,
    SMALL,
    cluster,
    general_group,
    general_instance,
    group,
    instance,
    record,
    state,
)

CLUSTER = cluster(general_group(), group("gpu-a", SMALL))
EMPTY_CLUSTER = 0.1 + 0.045 + 0.005  # control plane, gateway, its address
GENERAL = 0.2 + 0.01 + 0.005  # instance, volume, address
GPU = 0.4 + 0.01  # instance and volume; private


def test_each_state_gets_the_rate_from_its_moment_on() -> None:
    run = record(
        HOUR,
        instances=(
            general_instance(),
            instance("gpu-a", 10 * MINUTE, 30 * MINUTE),
            instance("gpu-a", 20 * MINUTE, None),
        ),
        states=tuple(state(n * MINUTE) for n in (0, 9, 10, 20, 29, 30, 60)),
    )

    rates = [row.usd_per_hour for row in priced_states(run, CLUSTER)]

    expected_nodes = [0, 0, 1, 2, 2, 1, 1]  # GPU nodes that exist from that minute on
    base = EMPTY_CLUSTER + GENERAL
    assert rates == pytest.approx([base + n * GPU for n in expected_nodes])


def test_a_node_that_shuts_down_costs_its_volume_alone() -> None:
    run = record(
        HOUR,
        instances=(instance("gpu-a", 0, 31 * MINUTE, terminating_ms=30 * MINUTE),),
        states=tuple(state(n * MINUTE) for n in (29, 30, 31)),
    )

    rates = [row.usd_per_hour for row in priced_states(run, CLUSTER)]

    assert rates == pytest.approx([EMPTY_CLUSTER + GPU, EMPTY_CLUSTER + 0.01, EMPTY_CLUSTER])


def test_everything_else_of_a_state_is_left_as_it_was() -> None:
    row = state(5)

    (priced,) = priced_states(record(HOUR, states=(row,)), CLUSTER)

    assert priced.usd_per_hour == pytest.approx(EMPTY_CLUSTER)
    assert (priced.at_ms, priced.nodes_by_group) == (row.at_ms, row.nodes_by_group)


def test_a_span_exists_from_its_start_until_just_before_its_end() -> None:
    timeline = timeline_of([Span(10, 20, 1.5), Span(20, 30, 2.5), Span(5, 5, 9.0)])

    assert [timeline.at(at_ms).alive for at_ms in (4, 5, 9, 10, 19, 20, 29, 30)] == [
        *(0, 0, 0, 1, 1, 1, 1, 0)
    ]
    assert timeline.at(30) == Level(0, 0)


def test_of_equal_peaks_the_dearest_counts() -> None:
    timeline = timeline_of([Span(0, 10, 1.0), Span(20, 30, 4.0), Span(40, 50, 2.0)])

    assert timeline.peak() == Level(1, 4_000_000_000)


def test_nothing_has_no_peak() -> None:
    assert timeline_of([]).peak() == Level(0, 0)
