"""The page's plots as Vega-Lite specifications, plain dicts without data.

The page hands two tables to every chart: ``states``, a row per moment with columns ``t`` and ``t2`` (seconds),
and ``zones``, a row per moment and zone. A value that starts with ``--`` names a colour of the page's style
sheet, so that plots follow its light and dark themes. ``from``, ``to``, ``ticks`` and ``cursor`` are the time window that the
page shows, its axis ticks, and the moment it points at.

It must not know Vega's JavaScript or the page around the plots.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lowtide.report.series import Moment
from lowtide.report.summary import Comparison

Spec = dict[str, Any]

#: As many as the style sheet has --series-N; more zones repeat them.
SERIES_COLORS = tuple(f"--series-{number}" for number in range(1, 7))

#: The columns of the table ``states``; a column z0, z1, ... per zone follows.
STATE_COLUMNS = (
    *("t", "t2", "nodes", "ready", "running", "pending", "finished", "used", "paid"),
    "usd",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One plot: an id for the page, a title, a sentence that says what is seen, and its specification."""

    id: str
    title: str
    about: str
    spec: Spec


def course_charts(course: Sequence[Moment], zones: Sequence[str]) -> tuple[Chart, ...]:
    """Return the four plots over time, which share their time window, with scales for that course."""
    return (
        _nodes_chart(zones, max(one.gpu_nodes for one in course)),
        _pods_chart(max(max(one.pods_running, one.pods_pending) for one in course)),
        _gpus_chart(max(max(one.gpus_used, one.gpus_paid) for one in course)),
        _price_chart(max(one.usd_per_hour for one in course)),
    )


def baseline_chart(ours_usd: float, compared: Sequence[Comparison]) -> Chart:
    """Return bars of what the GPU nodes cost and of what they could have cost."""
    values = [
        {"label": "this run", "usd": round(ours_usd, 6), "ours": True},
        *({"label": one.label, "usd": round(one.usd, 6), "ours": False} for one in compared),
    ]
    top = max(ours_usd, *(one.usd for one in compared))
    bars = {
        "mark": {"type": "bar", "cornerRadiusEnd": 3, "height": {"band": 0.62}},
        "encoding": {
            "x": {
                "field": "usd",
                "type": "quantitative",
                "title": None,
                "axis": None,
                "scale": {"domain": [0, top or 1]},
            },
            "color": {
                "field": "ours",
                "type": "nominal",
                "scale": {"domain": [True, False], "range": ["--accent", "--bar"]},
                "legend": None,
            },
            "tooltip": [_tip("label", "what"), _tip("usd", "GPU nodes", format_type="usd")],
        },
    }
    labels = {
        "mark": {"type": "text", "align": "left", "dx": 6, "fontWeight": 600},
        "encoding": {
            "x": {"field": "usd", "type": "quantitative"},
            "text": {"field": "usd", "type": "quantitative", "formatType": "usd"},
            "color": {"value": "--ink"},
        },
    }
    return Chart(
        id="baselines",
        title="GPU nodes against the baselines",
        about="Cost of the GPU nodes alone, of this run and of three baselines, in USD.",
        spec={
            **_frame(150),
            "data": {"values": values},
            "encoding": {
                "y": {
                    "field": "label",
                    "type": "nominal",
                    "sort": None,
                    "title": None,
                    "axis": {"domain": False, "ticks": False, "labelPadding": 8},
                }
            },
            # Room at the right of the longest bar for its own label.
            "padding": {"left": 0, "top": 0, "bottom": 0, "right": 64},
            "layer": [bars, labels],
        },
    )


def state_rows(course: Iterable[Moment], zones: Sequence[str]) -> list[list[float]]:
    """Return the rows of the table ``states``, and a last one where the run ends."""
    rows = [_state_row(one, zones) for one in course]
    if rows and rows[-1][0] < rows[-1][1]:
        # A step plot draws up to its last point, so the end of the run is one.
        rows.append([rows[-1][1], *rows[-1][1:]])
    return rows


def _state_row(one: Moment, zones: Sequence[str]) -> list[float]:
    return [
        _compact(one.at_ms / 1000),
        _compact(one.until_ms / 1000),
        one.gpu_nodes,
        one.gpu_nodes_ready,
        one.pods_running,
        one.pods_pending,
        one.pods_finished,
        one.gpus_used,
        one.gpus_paid,
        _compact(round(one.usd_per_hour, 4)),
        *(one.gpu_nodes_by_zone[zone] for zone in zones),
    ]


def _compact(number: float) -> float:
    """Return a whole number as one: 12 is shorter than 12.0 on the page."""
    return int(number) if number == int(number) else number


def _nodes_chart(zones: Sequence[str], top: int) -> Chart:
    tips = [
        _tip("nodes", "GPU nodes"),
        _tip("ready", "offering GPUs"),
        *(_tip(f"z{place}", zone) for place, zone in enumerate(zones)),
    ]
    if zones:
        spec = _over_time([_zone_area(zones, top)], tips)
    else:
        spec = _over_time(
            [_step_area("nodes", "GPU nodes", top)], tips, colors={"GPU nodes": SERIES_COLORS[0]}
        )
    return Chart(
        id="nodes",
        title="GPU nodes by zone",
        about="GPU instances that exist, stacked by availability zone.",
        spec=spec,
    )


def _pods_chart(top: int) -> Chart:
    layers = [_step_area("pending", "pending", top), _step_area("running", "running", top)]
    tips = [_tip("running", "running"), _tip("pending", "pending"), _tip("finished", "finished")]
    return Chart(
        id="pods",
        title="Pods",
        about="Pods that run, and pods that wait for a node.",
        spec=_over_time(layers, tips, colors={"running": "--good", "pending": "--warn"}),
    )


def _gpus_chart(top: int) -> Chart:
    layers = [
        _step_area("paid", "paid for", top, opacity=0.18),
        _step_area("used", "held by pods", top, opacity=0.7),
    ]
    tips = [_tip("used", "held by pods"), _tip("paid", "paid for")]
    return Chart(
        id="gpus",
        title="GPUs used against GPUs paid for",
        about="The gap between the two is capacity that is paid for and idle.",
        spec=_over_time(
            layers, tips, colors={"held by pods": "--accent", "paid for": "--series-3"}
        ),
    )


def _price_chart(top: float) -> Chart:
    layer = _step_area("usd", "USD per hour", top)
    layer["encoding"]["y"]["axis"] = {**_Y_AXIS, "tickCount": 4, "labelExpr": "usd(datum.value)"}
    return Chart(
        id="price",
        title="Dollars per hour",
        about="What everything that exists at a moment costs per hour.",
        spec=_over_time(
            [layer],
            [_tip("usd", "per hour", format_type="usd")],
            colors={"USD per hour": "--series-2"},
        ),
    )


#: One width of labels for all, so that the same moment is at the same place in every plot.
_Y_AXIS: Mapping[str, Any] = {"minExtent": 44, "domain": False, "ticks": False}

#: Letters of a legend beside each other above a plot, and those that a symbol and its gap take.
_LEGEND_LETTERS, _SYMBOL_LETTERS = 70, 5

_STEPS: Mapping[str, Any] = {"type": "area", "interpolate": "step-after", "clip": True}


def _zone_area(zones: Sequence[str], top: int) -> Spec:
    colors = [SERIES_COLORS[place % len(SERIES_COLORS)] for place in range(len(zones))]
    return {
        "data": {"name": "zones"},
        "mark": {**_STEPS, "opacity": 0.85},
        "encoding": {
            "x": _time_axis(),
            "y": {**_count_axis("nodes", top), "stack": "zero"},
            "color": {
                "field": "zone",
                "type": "nominal",
                "title": None,
                "legend": _legend(zones),
                "scale": {"domain": list(zones), "range": colors},
            },
            "order": {"field": "place", "type": "quantitative"},
        },
    }


def _legend(labels: Sequence[str]) -> Spec:
    """Return a legend with its labels whole (Vega cuts at 160 pixels, a group over three zones has all in one label)."""
    widest = max(map(len, labels)) + _SYMBOL_LETTERS
    in_a_row = max(1, _LEGEND_LETTERS // widest)
    return {"labelLimit": 0, "columns": 0 if len(labels) <= in_a_row else in_a_row}


def _step_area(field: str, label: str, top: float, *, opacity: float = 0.25) -> Spec:
    """Return a step area with its upper edge drawn, which shows a spike that is thinner than a pixel."""
    return {
        "data": {"name": "states"},
        "mark": {**_STEPS, "fillOpacity": opacity, "line": {"clip": True}},
        "encoding": {
            "x": _time_axis(),
            "y": {**_count_axis(field, top), "stack": None},
            "color": {"datum": label, "type": "nominal", "title": None},
        },
    }


def _over_time(
    layers: list[Spec], tips: list[Spec], *, colors: Mapping[str, str] | None = None
) -> Spec:
    """Return layers with the shared time window, a band under the pointer and the cursor."""
    if colors is not None:
        for layer in layers:
            layer["encoding"]["color"] |= {
                "scale": {"domain": list(colors), "range": list(colors.values())},
                "legend": {} if len(colors) > 1 else None,
            }
    return {
        **_frame(190),
        "params": [
            {"name": "from", "value": 0},
            {"name": "to", "value": 1},
            {"name": "ticks", "value": [0]},
            {"name": "cursor", "value": -1},
        ],
        "layer": [*layers, _band(tips), _cursor()],
    }


def _band(tips: list[Spec]) -> Spec:
    """Return what feels the pointer: each moment as a band over the full height, with exact values."""
    return {
        "data": {"name": "states"},
        "params": [
            {
                "name": "hover",
                "select": {"type": "point", "on": "pointerover", "clear": "pointerout"},
            }
        ],
        "mark": {"type": "rect", "color": "--ink", "clip": True, "strokeWidth": 0},
        "encoding": {
            "x": _time_axis(),
            "x2": {"field": "t2"},
            "opacity": {"condition": {"param": "hover", "empty": False, "value": 0.1}, "value": 0},
            "tooltip": [_tip("t", "from", format_type="moment"), *tips],
        },
    }


def _cursor() -> Spec:
    return {
        "data": {"values": [{}]},
        "transform": [
            {"calculate": "cursor", "as": "t"},
            {"filter": "datum.t >= from && datum.t <= to"},
        ],
        "mark": {"type": "rule", "color": "--ink", "strokeDash": [4, 3], "clip": True},
        "encoding": {"x": _time_axis()},
    }


def _time_axis() -> Spec:
    return {
        "field": "t",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [{"expr": "from"}, {"expr": "to"}], "nice": False, "zero": False},
        "axis": {
            "values": {"expr": "ticks"},
            "labelExpr": "duration(datum.value)",
            "labelFlush": True,
            "grid": False,
            # Above the marks, so that a series at zero does not colour the axis.
            "zindex": 1,
        },
    }


def _count_axis(field: str, top: float) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": None,
        # Room above for the highest line; a run without any still has a scale.
        "scale": {"domain": [0, (top or 1) * 1.04], "nice": False},
        "axis": {**_Y_AXIS, "values": whole_ticks(top), "format": ",d"},
    }


def whole_ticks(top: float) -> list[int]:
    """Return at most seven ticks at whole numbers, the last at the top; those of Vega are halves for a top of 1."""
    step = next(
        digit * power
        for power in (10**exponent for exponent in itertools.count())
        for digit in (1, 2, 5)
        if digit * power * 5 >= top
    )
    last = max(1, int(top))
    # A tick that close below the top would stand on its label.
    return [*(tick for tick in range(0, last, step) if 2 * (last - tick) > step), last]


def _tip(field: str, title: str, *, format_type: str = "") -> Spec:
    tip: Spec = {"field": field, "title": title}
    if format_type:
        return {**tip, "type": "quantitative", "formatType": format_type}
    return tip


def _frame(height: int) -> Spec:
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }
