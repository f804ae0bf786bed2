from __future__ import annotations

import json

import pytest

from lowtide.model.simulation import Simulation
from lowtide.report import charts
from lowtide.report.charts import baseline_chart, course_charts, state_rows, whole_ticks
from lowtide.report.series import moments, zones
from lowtide.report.summary import comparisons


@pytest.mark.parametrize(
    ("top", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (10, [0, 2, 4, 6, 8, 10]),
        (37, [0, 10, 20, 30, 37]),
        (41, [0, 10, 20, 30, 41]),
        (777, [0, 200, 400, 600, 777]),
    ],
)
def test_counts_have_whole_ticks_that_end_at_the_peak(top: int, ticks: list[int]) -> None:
    assert whole_ticks(top) == ticks


def test_zones_are_stacked_in_their_order_each_in_its_colour(tide: Simulation) -> None:
    nodes = course_charts(moments(tide), zones(tide))[0]
    color = nodes.spec["layer"][0]["encoding"]["color"]
    assert color["scale"]["domain"] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert color["scale"]["range"] == ["--series-1", "--series-2", "--series-3"]


def test_long_names_of_zones_are_whole_and_below_each_other() -> None:
    names = ["us-east-1a,us-east-1b,us-east-1c", "us-east-1d,us-east-1e,us-east-1f"]
    assert charts._legend(names[:1]) == {"labelLimit": 0, "columns": 0}
    assert charts._legend(names) == {"labelLimit": 0, "columns": 1}


def test_plots_over_time_share_their_window_and_feel_the_pointer(tide: Simulation) -> None:
    over_time = course_charts(moments(tide), zones(tide))
    assert [chart.id for chart in over_time] == ["nodes", "pods", "gpus", "price"]
    for chart in over_time:
        assert [one["name"] for one in chart.spec["params"]] == ["from", "to", "ticks", "cursor"]
        band = chart.spec["layer"][-2]["encoding"]
        assert (band["x"]["field"], band["x2"]["field"]) == ("t", "t2")
        assert band["tooltip"][0]["field"] == "t"


def test_specifications_hold_no_address_and_no_rows(tide: Simulation) -> None:
    text = json.dumps([chart.spec for chart in course_charts(moments(tide), zones(tide))])
    assert "http" not in text
    assert len(text) < 20_000


def test_baselines_are_bars_beside_the_run(tide: Simulation) -> None:
    chart = baseline_chart(2.536338, comparisons(tide))
    assert [(row["label"], row["usd"]) for row in chart.spec["data"]["values"]] == [
        ("this run", 2.536338),
        ("always-on on-demand", 12.448667),
        ("cheapest possible", 2.08425),
        ("cheapest in region", 1.687),
    ]


def test_rows_hold_whole_numbers_without_a_point(tide: Simulation) -> None:
    first, *_, last = state_rows(moments(tide), zones(tide))
    assert json.dumps(first) == "[0, 14, 0, 0, 0, 10, 0, 0, 0, 0.241, 0, 0, 0]"
    assert last[:2] == [8520, 8520]
