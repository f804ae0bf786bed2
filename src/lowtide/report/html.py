"""One HTML file that explains a run: plots, costs, decisions; it works offline and loads nothing.

The page is ``page.html`` with ``page.css`` and ``page.js``; the plots are ``charts``, drawn by Vega-Lite, whose JavaScript
vl-convert-python bundles (the extra ``lowtide[report]``). A Content-Security-Policy in the page allows the two
scripts and the style sheet by their hashes and no network at all, so that nothing in a user's names can run.

It must not know where the file is written.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lowtide.model.errors import LowtideError
from lowtide.model.run import DecisionRow
from lowtide.model.simulation import Simulation
from lowtide.report import page
from lowtide.report.charts import STATE_COLUMNS, Chart, baseline_chart, course_charts, state_rows
from lowtide.report.series import moments, thin, zones
from lowtide.report.summary import comparisons, ending, gpu_usd, headline
from lowtide.report.wording import printable

#: Spans of time of which a plot keeps the notable moments; some five moments each, a plot is 600 pixels wide.
_INTERVALS = 160
#: Room for decisions in bytes: with the 0.9 MB of the bundle the page stays below 1.5 MB.
_DECISION_BYTES = 250_000


def simulation_html(simulation: Simulation) -> str:
    """Return the page; the same simulation gives the same bytes.

    Raises:
        LowtideError: vl-convert-python is not installed.
    """
    bundle, style, script = _bundle(), _part("page.css"), _part("page.js")
    course = moments(simulation)
    plotted = thin(course, _INTERVALS)
    names = zones(simulation)
    over_time = course_charts(course, names) if course else ()
    baselines = baseline_chart(gpu_usd(simulation), comparisons(simulation))
    listed = _within(simulation.decisions, _DECISION_BYTES)
    data = {
        "end": simulation.simulated_seconds,
        "zones": names,
        "columns": [*STATE_COLUMNS, *(f"z{place}" for place in range(len(names)))],
        "rows": state_rows(plotted, names),
        "charts": [
            *(_chart_data(chart, over_time=True) for chart in over_time),
            _chart_data(baselines, over_time=False),
        ],
        "decisions": listed,
    }
    values = {
        "policy": _policy(scripts=(bundle, script), style=style),
        "cluster": page.text(simulation.cluster),
        "facts": page.text(f"{simulation.region}, seed {simulation.seed}: {ending(simulation)}"),
        "lead": "<br>".join(map(page.text, headline(simulation, course, arrow="→"))),
        "notices": page.notices(simulation),
        "alarm": page.alarm(simulation),
        "cards": page.cards(simulation),
        "thinned": page.thinned(len(plotted), len(course)),
        "plots": "".join(page.figure(chart) for chart in over_time),
        "costs": page.cost_rows(simulation),
        "price_dates": page.price_dates(simulation),
        "baselines": page.figure(baselines, page.baseline_list(simulation)),
        "refused": page.refused(simulation),
        "cut": page.cut(len(listed), len(simulation.decisions)),
        "style": style,
        "data": _json(data),
        "bundle": bundle,
        "script": script,
    }
    return _filled(_part("page.html"), values)


@functools.cache
def _bundle() -> str:
    """Return Vega-Lite and all it needs as one script; made in two seconds, the same every time."""
    try:
        import vl_convert  # noqa: PLC0415 - an extra, and 84 MB of library
    except ImportError as error:
        raise LowtideError(
            "cannot write the HTML report",
            where="lowtide[report]",
            why=f"its plots need vl-convert-python: {error}",
            fix="pip install -e '.[report]' in a checkout of lowtide, pip install 'lowtide[report]' elsewhere",
        ) from error
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _part(name: str) -> str:
    return (importlib.resources.files("lowtide.report") / name).read_text(encoding="utf-8")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Fill ``{{name}}`` in one pass, so that braces inside a value stay as they are."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def _policy(*, scripts: Sequence[str], style: str) -> str:
    """Return the Content-Security-Policy (W3C CSP level 3): our own code by hash, nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(map(_hash, scripts)),
            f"style-src {_hash(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON that cannot end its script element (HTML, "restrictions for contents of script elements")."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c")


def _chart_data(chart: Chart, *, over_time: bool) -> dict[str, Any]:
    return {"id": chart.id, "about": chart.about, "overTime": over_time, "spec": chart.spec}


def _within(decisions: Iterable[DecisionRow], most_bytes: int) -> list[tuple[float, str, str, str]]:
    """Return the first decisions that fit into so many bytes, as rows of the page's data."""
    rows: list[tuple[float, str, str, str]] = []
    for one in decisions:
        words = (one.actor, f"{one.action} {one.subject}".strip(), one.why)
        actor, action, why = map(printable, words)
        row = (one.at_ms / 1000, actor, action, why)
        most_bytes -= len(json.dumps(row, ensure_ascii=False).encode()) + 1
        if most_bytes < 0:
            break
        rows.append(row)
    return rows
