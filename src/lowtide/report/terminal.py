"""What people read at the terminal: one compact screen for a run, one table for a comparison.

It must not know where the text goes; whether it may be coloured is the caller's word (NO_COLOR).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lowtide.model.run import RefusedPods
from lowtide.model.simulation import Simulation
from lowtide.report.blocks import COLUMN_GAP, Beside, Block, Column, Line, Table, Words, line
from lowtide.report.drawing import axis, bars
from lowtide.report.problems import error_text, findings_text
from lowtide.report.series import Moment, maximum_per_column, moments, zones
from lowtide.report.summary import (
    comparisons,
    cost_parts,
    ending,
    gpu_usd,
    headline,
    ran_count,
    reasons_by_subjects,
    refused_count,
    waits,
)
from lowtide.report.wording import (
    clock_text,
    count_text,
    duration_text,
    percent_text,
    price_dates_text,
    printable,
    usd_text,
)

__all__ = [
    "Column",
    "comparison_text",
    "error_text",
    "findings_text",
    "fitting_columns",
    "simulation_text",
    "table_text",
]

#: More zones than this are drawn as one line.
_MOST_ZONES = 6
_ZONE_STYLES = ("cyan", "yellow", "magenta", "green", "blue", "red")
#: Narrower than this, cost and baselines stand below each other.
_SIDE_BY_SIDE = 84
_NARROWEST = 40
#: A pipe has no width to keep to.
_UNBOUNDED = 10_000
_NAMES_SHOWN = 3
_SUBJECTS_SHOWN = 4


def simulation_text(simulation: Simulation, *, width: int, color: bool, decisions: int = 10) -> str:
    """Return a run on one screen of that many columns, with the first so many ``decisions``."""
    width = max(_NARROWEST, width)
    course = moments(simulation)
    blocks = (
        *_heading(simulation, course),
        *_timeline(simulation, course, width),
        *_money(simulation, width),
        _figures(simulation),
        *_refused(simulation),
        *_decisions(simulation, decisions),
    )
    return _drawn(blocks, width=width, color=color)


def comparison_text(compared: Sequence[tuple[str, Simulation]], *, width: int, color: bool) -> str:
    """Return runs side by side, a column each.

    A star marks the cheapest of those that ran the most pods: a cluster that serves nobody is no bargain.
    Runs that do not fit beside each other go into a further table below.
    """
    if not compared:
        return ""
    width = max(_NARROWEST, width)
    titles = max(len(title) for title, _ in _COMPARED) + 2
    column = max(10, *(len(printable(label)) + 1 for label, _ in compared)) + 2
    fitting = max(1, (width - titles) // column)
    best = _best(compared)
    blocks: list[Block] = []
    for start in range(0, len(compared), fitting):
        blocks += [_comparison(compared[start : start + fitting], best), line()]
    if best is not None:
        blocks.append(line("* the cheapest of those that ran the most pods", "dim"))
    blocks += _all_refused(compared)
    dated = dict.fromkeys(price_dates_text(one.price_dates) for _, one in compared)
    blocks += [line(one, "dim") for one in dated if one]
    return _drawn([*blocks, *_all_notices(compared)], width=width, color=color)


def table_text(
    columns: Sequence[Column | str],
    rows: Iterable[Sequence[object]],
    *,
    width: int | None = None,
    color: bool = False,
) -> str:
    """Return rows below their columns' titles, one line each unless a cell must wrap.

    A column given as text is left-aligned. ``width`` None means as wide as the rows are (a pipe).
    """
    table = Table(
        [Column(title=column) if isinstance(column, str) else column for column in columns],
        [[cell if isinstance(cell, Words) else str(cell) for cell in row] for row in rows],
    )
    return _drawn([table], width=width or _UNBOUNDED, color=color)


def fitting_columns(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None
) -> tuple[tuple[int, ...], int | None]:
    """Return the places of the columns that fit beside each other whole, and the width that they need.

    The most spare ones are left out first. Those that are not spare stay whole, even where that takes more than the
    ``width``: a line that the terminal wraps still has all its letters. Empty columns are left out, too.
    """
    cells = [[column.title for column in columns], *rows]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    places = [place for place, column in enumerate(zip(*cells, strict=True)) if any(column[1:])]
    if width is None:
        return tuple(places), None
    leaving = sorted(
        (one for one in places if columns[one].spare), key=lambda one: columns[one].spare
    )
    while leaving and _beside(wide, places) > width:
        places.remove(leaving.pop())
    return tuple(places), max(width, _beside(wide, places))


def _beside(wide: Sequence[int], places: Sequence[int]) -> int:
    return sum(wide[place] + COLUMN_GAP for place in places) - COLUMN_GAP


def _drawn(blocks: Iterable[Block], *, width: int, color: bool) -> str:
    from lowtide.report.screen import draw  # noqa: PLC0415 - loads rich (60 ms), only when drawing

    return draw(blocks, width=width, color=color)


def _heading(simulation: Simulation, course: Sequence[Moment]) -> list[Block]:
    place = f"  {simulation.region}, seed {simulation.seed}: {ending(simulation)}"
    pods, *others = headline(simulation, course)
    return [
        Line((Words(simulation.cluster, "bold"), Words(place, "dim"))),
        line(pods, "bold red" if refused_count(simulation) else "bold green"),
        *(line(sentence, "bold") for sentence in others),
        *_notices(simulation.notices),
        line(),
    ]


def _notices(notices: Iterable[str]) -> list[Block]:
    return [line(f"NOTICE: {notice}", "bold yellow") for notice in notices]


def _timeline(simulation: Simulation, course: Sequence[Moment], width: int) -> list[Block]:
    series = [*_node_series(simulation, course), *_pod_series(course)]
    if not any(top for _, _, top, _ in series):
        return []
    names = max(len(name) for name, _, _, _ in series) + 2
    columns = max(10, width - names - len("  max 10,000"))
    rows: list[Block] = []
    for name, style, top, value in series:
        values = maximum_per_column(course, value, columns)
        drawn = Words(bars(values, top), style)
        rows.append(
            Line((Words(f"{name:<{names}}"), drawn, Words(f"  max {max(values):,.0f}", "dim")))
        )
    ticks = axis(simulation.simulated_seconds, columns)
    return [*rows, *(line(" " * names + row, "dim") for row in ticks), line()]


_Series = tuple[str, str, float, Callable[[Moment], float]]


def _node_series(simulation: Simulation, course: Sequence[Moment]) -> list[_Series]:
    """Zones share one scale, so that their heights can be compared."""
    names = zones(simulation)
    if not names or len(names) > _MOST_ZONES:
        top = max((moment.gpu_nodes for moment in course), default=0)
        return [("GPU nodes", _ZONE_STYLES[0], top, lambda moment: moment.gpu_nodes)]
    top = max((max(moment.gpu_nodes_by_zone.values()) for moment in course), default=0)
    return [
        (f"GPU nodes {name}", style, top, _nodes_in(name))
        for name, style in zip(names, _ZONE_STYLES, strict=False)
    ]


def _nodes_in(zone: str) -> Callable[[Moment], float]:
    return lambda moment: moment.gpu_nodes_by_zone[zone]


def _pod_series(course: Sequence[Moment]) -> list[_Series]:
    top = max((max(moment.pods_running, moment.pods_pending) for moment in course), default=0)
    return [
        ("pods running", "green", top, lambda moment: moment.pods_running),
        ("pods pending", "red", top, lambda moment: moment.pods_pending),
    ]


def _money(simulation: Simulation, width: int) -> list[Block]:
    cost = Table(
        (Column(title="cost"), Column(title="USD", right=True)),
        [
            *((label, usd_text(usd)) for label, usd in cost_parts(simulation)),
            (Words("total", "bold"), Words(usd_text(simulation.cost_usd.total), "bold")),
        ],
    )
    baselines = Table(
        (
            Column(title="GPU nodes against"),
            Column(title="USD", right=True),
            Column(title="this run is", right=True),
        ),
        [
            *(
                (one.label, usd_text(one.usd), one.difference_text)
                for one in comparisons(simulation)
            ),
            (Words("this run", "bold"), Words(usd_text(gpu_usd(simulation)), "bold"), ""),
        ],
    )
    compared = any(one.usd for one in comparisons(simulation))
    meaning = [line(_meaning(simulation), "dim"), line()] if compared else []
    dated = price_dates_text(simulation.price_dates)
    if dated:
        meaning = [line(dated, "dim"), *(meaning or [line()])]
    if width < _SIDE_BY_SIDE:
        return [cost, line(), baselines, line(), *meaning]
    return [Beside(cost, baselines), line(), *meaning]


def _meaning(simulation: Simulation) -> str:
    """Return what the baselines are in a few words; the page has a sentence for each."""
    types = simulation.baseline_usd.cheapest_in_region_types
    named = f" ({_some(types, _NAMES_SHOWN)})" if types else ""
    return (
        "always-on: the peak's nodes on demand for the whole run; cheapest possible: the GPU time that pods held, at the "
        f"lowest price of the file's types; cheapest in region: of any type there{named}"
    )


def _figures(simulation: Simulation) -> Table:
    pods, nodes, hours = simulation.pods, simulation.nodes, simulation.gpu_hours
    waiting = ", ".join(f"{name} {duration_text(seconds)}" for name, seconds in waits(simulation))
    held = (
        f"{hours.requested:,.2f} held by pods, {hours.billed:,.2f} paid: "
        f"{percent_text(hours.utilization)} utilisation; {hours.unmet:,.2f} unmet"
    )
    counted = (
        f"{pods.total:,} in all: {pods.finished:,} finished, {pods.stopped:,} stopped, "
        f"{pods.running:,} running, {pods.pending:,} pending"
    )
    launched = (
        f"GPU: {nodes.gpu_peak:,} at peak, {nodes.gpu_launched:,} launched, "
        f"{nodes.gpu_final:,} at the end; general: {nodes.general_peak:,} at peak; "
        f"{count_text(simulation.interruptions, 'spot interruption')}"
    )
    return Table(
        (Column(style="bold"), Column()),
        [
            ("waiting", waiting if ran_count(simulation) else "no pod ran"),
            ("GPU hours", held),
            ("pods", counted),
            ("nodes", launched),
        ],
    )


def _refused(simulation: Simulation) -> list[Block]:
    blocks: list[Block] = []
    for group in simulation.pods.refused:
        blocks += [
            line(),
            line(f"{count_text(len(group.pods), 'pod')} refused: {group.cause}", "bold red"),
            line("  " + _some(group.pods, _NAMES_SHOWN)),
            *(line(f"  {reason}") for reason in _reason_lines(group)),
        ]
    return blocks


def _reason_lines(group: RefusedPods) -> list[str]:
    return [
        f"{_some(subjects, _SUBJECTS_SHOWN)}: {'; '.join(reasons)}"
        for subjects, reasons in reasons_by_subjects(group)
    ]


def _some(names: Sequence[str], shown: int) -> str:
    text = ", ".join(names[:shown])
    more = len(names) - shown
    return f"{text} and {more:,} more" if more > 0 else text


def _decisions(simulation: Simulation, shown: int) -> list[Block]:
    if not simulation.decisions or shown <= 0:
        return []
    columns = (
        Column(title="time", right=True, style="dim"),
        Column(title="who", keep=True),
        Column(title="decision", cut=True, weight=3),
        Column(title="why", cut=True, weight=2),
    )
    rows = [
        (clock_text(row.at_ms / 1000), row.actor, f"{row.action} {row.subject}", row.why)
        for row in simulation.decisions[:shown]
    ]
    more = len(simulation.decisions) - shown
    tail = [line(f"... and {more:,} more (-o json)", "dim")] if more > 0 else []
    return [line(), Table(columns, rows), *tail]


_Value = Callable[[Simulation], str]


def _part(index: int) -> _Value:
    return lambda one: usd_text(cost_parts(one)[index][1])


def _difference(index: int) -> _Value:
    return lambda one: comparisons(one)[index].difference_text or "-"


def _wait(which: str) -> _Value:
    def value(one: Simulation) -> str:
        return duration_text(getattr(one.wait_seconds, which)) if ran_count(one) else "no pod ran"

    return value


#: The rows of a comparison: what a person weighs against each other, money first.
_COMPARED: tuple[tuple[str, _Value], ...] = (
    ("total", lambda one: usd_text(one.cost_usd.total)),
    ("  GPU nodes, spot", _part(0)),
    ("  GPU nodes, on-demand", _part(1)),
    ("  general nodes", _part(2)),
    ("  control plane", _part(3)),
    ("  network", _part(4)),
    ("  storage", _part(5)),
    ("against always-on on-demand", _difference(0)),
    ("against cheapest possible", _difference(1)),
    ("against cheapest in region", _difference(2)),
    ("waiting, mean", _wait("mean")),
    ("waiting, p95", _wait("p95")),
    ("waiting, longest", _wait("max")),
    ("GPU utilisation", lambda one: percent_text(one.gpu_hours.utilization)),
    ("GPU hours unmet", lambda one: f"{one.gpu_hours.unmet:,.2f}"),
    ("GPU nodes at peak", lambda one: f"{one.nodes.gpu_peak:,}"),
    ("GPU nodes launched", lambda one: f"{one.nodes.gpu_launched:,}"),
    ("pods ran", lambda one: f"{ran_count(one):,}"),
    ("pods refused", lambda one: f"{refused_count(one):,}"),
    ("spot interruptions", lambda one: f"{one.interruptions:,}"),
    ("simulated", lambda one: duration_text(one.simulated_seconds)),
)


def _best(compared: Sequence[tuple[str, Simulation]]) -> float | None:
    """Return the total of the best run, None where no pod ran anywhere."""
    most = max(ran_count(one) for _, one in compared)
    return min(
        (one.cost_usd.total for _, one in compared if ran_count(one) == most > 0), default=None
    )


def _comparison(compared: Sequence[tuple[str, Simulation]], best: float | None) -> Table:
    titles = [label + ("*" if one.cost_usd.total == best else "") for label, one in compared]
    columns = (Column(), *(Column(title=title, right=True) for title in titles))
    rows = [(title, *(value(one) for _, one in compared)) for title, value in _COMPARED]
    return Table(columns, rows)


def _all_refused(compared: Sequence[tuple[str, Simulation]]) -> list[Block]:
    """Return why pods never ran, run by run: the table only counts them."""
    return [
        line(
            f"{printable(label)}: {count_text(len(group.pods), 'pod')} refused: {group.cause}",
            "bold red",
        )
        for label, one in compared
        for group in one.pods.refused
    ]


def _all_notices(compared: Sequence[tuple[str, Simulation]]) -> list[Block]:
    """Return the notices of all runs, those that hold for every one of them without a label."""
    said = dict.fromkeys(notice for _, one in compared for notice in one.notices)
    shared = [notice for notice in said if all(notice in one.notices for _, one in compared)]
    own = [
        f"{label}: {notice}"
        for label, one in compared
        for notice in one.notices
        if notice not in shared
    ]
    return _notices([*shared, *own])
