"""The page's parts in HTML: cards, figures, tables. Every text of a user goes through ``text``.

It must not know scripts, styles or data.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from lowtide.model.run import RefusedPods
from lowtide.model.simulation import Simulation
from lowtide.report.charts import Chart
from lowtide.report.summary import (
    comparisons,
    cost_parts,
    gpu_usd,
    ran_count,
    reasons_by_subjects,
    refused_count,
)
from lowtide.report.wording import (
    count_text,
    duration_text,
    percent_text,
    price_dates_text,
    printable,
    usd_text,
)

#: Of pods, nodes and reasons that could be thousands.
_SHOWN = 40

#: Rows of decisions that the box shows without scrolling (page.css, .scroll).
_SEEN_AT_ONCE = 12


def text(words: str) -> str:
    """Return words as HTML text, control characters made visible."""
    return html.escape(printable(words))


def notices(simulation: Simulation) -> str:
    """Return a banner per notice."""
    return "".join(
        f'<p class="note" role="note"><strong>Notice.</strong> {text(one)}</p>'
        for one in simulation.notices
    )


def alarm(simulation: Simulation) -> str:
    """Return a banner that says how many pods never ran, or nothing."""
    refused = refused_count(simulation)
    if not refused:
        return ""
    causes = "; ".join(group.cause.rstrip(".") for group in simulation.pods.refused)
    never = count_text(refused, "pod never ran", "pods never ran")
    return (
        f'<p class="alarm" role="alert"><strong>{never}</strong>: {text(causes)}. '
        '<a href="#refused">See why</a></p>'
    )


def cards(simulation: Simulation) -> str:
    """Return the headline figures, money first."""
    return "".join(
        f"<div{' class=first' if place < 2 else ''}><dt>{text(title)}</dt>"
        f'<dd class="figure">{text(number)}</dd><dd class="detail">{text(detail)}</dd></div>'
        for place, (title, number, detail) in enumerate(
            (*_money_cards(simulation), *_pod_cards(simulation), *_node_cards(simulation))
        )
    )


_Card = tuple[str, str, str]


def _money_cards(simulation: Simulation) -> tuple[_Card, ...]:
    always_on = comparisons(simulation)[0]
    total = usd_text(simulation.cost_usd.total)
    paid = f"{usd_text(gpu_usd(simulation))}, not {usd_text(always_on.usd)}"
    against = (
        ("-", "no GPU node to compare")
        if always_on.difference is None
        else (_signed(always_on.difference), f"{paid} for on-demand nodes that stay")
    )
    return (
        ("Total cost", total, f"in {duration_text(simulation.simulated_seconds)}"),
        ("GPU nodes against always-on", *against),
    )


def _pod_cards(simulation: Simulation) -> tuple[_Card, ...]:
    ran, waits = ran_count(simulation), simulation.wait_seconds
    others = (
        f"{refused_count(simulation):,} refused, {simulation.pods.pending:,} pending at the end"
    )
    most = f"95 % of pods within {duration_text(waits.p95)}; longest {duration_text(waits.max)}"
    waited = (duration_text(waits.p50), most) if ran else ("-", "no pod ran")
    return (("Pods that ran", f"{ran:,}", others), ("Waiting, median", *waited))


def _node_cards(simulation: Simulation) -> tuple[_Card, ...]:
    hours, nodes = simulation.gpu_hours, simulation.nodes
    held = f"{hours.requested:,.1f} of {hours.billed:,.1f} paid GPU-hours held"
    launched = (
        f"{nodes.gpu_launched:,} launched, {nodes.gpu_final:,} at the end, "
        f"{count_text(simulation.interruptions, 'interruption')}"
    )
    return (
        ("GPU utilisation", percent_text(hours.utilization), held),
        ("GPU nodes at peak", f"{nodes.gpu_peak:,}", launched),
    )


def _signed(difference: float) -> str:
    """Return a difference with a real minus sign, short enough for a card."""
    return ("+" if difference > 0 else "\N{MINUS SIGN}") + percent_text(abs(difference))


def figure(chart: Chart, below: str = "") -> str:
    """Return the place of a plot with its title, and HTML below it."""
    return (
        f'<figure class="card" aria-labelledby="title-{chart.id}">'
        f'<figcaption><h3 id="title-{chart.id}">{text(chart.title)}</h3>'
        f'<p class="muted">{text(chart.about)}</p></figcaption>'
        f'<div class="plot" id="plot-{chart.id}"></div>{below}</figure>'
    )


def baseline_list(simulation: Simulation) -> str:
    """Return what each baseline means, and the run's difference to it."""
    rows = "".join(
        f"<div><dt>{text(one.label)}</dt><dd>{text(one.meaning)}"
        + (f"; this run is <strong>{one.difference_text}</strong>" if one.difference_text else "")
        + "</dd></div>"
        for one in comparisons(simulation)
    )
    return f'<dl class="meanings">{rows}</dl>'


def cost_rows(simulation: Simulation) -> str:
    """Return the parts of the bill with their shares, and the total."""
    total = simulation.cost_usd.total
    rows = [(label, usd, "") for label, usd in cost_parts(simulation)]
    return "".join(
        f'<tr{css}><th scope="row">{text(label[0].upper() + label[1:])}</th>'
        f'<td class="number">{usd_text(usd)}</td>'
        f'<td class="number">{percent_text(usd / total if total else 0)}</td></tr>'
        for label, usd, css in [*rows, ("total", total, ' class="sum"')]
    )


def price_dates(simulation: Simulation) -> str:
    """Return how old the prices are, or nothing."""
    dated = price_dates_text(simulation.price_dates)
    return f'<p class="muted hint">{text(dated[0].upper() + dated[1:])}.</p>' if dated else ""


def refused(simulation: Simulation) -> str:
    """Return the section on pods that never ran, or nothing."""
    if not simulation.pods.refused:
        return ""
    groups = "".join(map(_refused_group, simulation.pods.refused))
    return (
        '<section aria-labelledby="refused"><h2 id="refused">Pods that never ran</h2>'
        f"{groups}</section>"
    )


def _refused_group(group: RefusedPods) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_codes(subjects)}</th><td>{text("; ".join(reasons))}</td></tr>'
        for subjects, reasons in reasons_by_subjects(group)[:_SHOWN]
    )
    pods = count_text(len(group.pods), "pod")
    return (
        f'<article class="card refused"><h3>{pods}: {text(group.cause)}</h3>'
        f"<p>{_codes(group.pods)}</p><table><thead><tr>"
        '<th scope="col">Node or group</th><th scope="col">Its last reasons</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></article>"
    )


def _codes(names: Sequence[str]) -> str:
    listed = ", ".join(f"<code>{text(name)}</code>" for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{listed} and {more:,} more" if more > 0 else listed


def thinned(plotted: int, all_of_them: int) -> str:
    """Return a sentence where plots do not show every change of the run."""
    if plotted == all_of_them:
        return ""
    return f"Plots show {plotted:,} of {all_of_them:,} changes; every peak is kept."


def cut(listed: int, all_of_them: int) -> str:
    """Return a sentence on how many decisions the box holds, since it shows a few at a time."""
    if listed == all_of_them:
        return f"The box scrolls through all {listed:,}." if listed > _SEEN_AT_ONCE else ""
    return f"The box scrolls through the first {listed:,} of {all_of_them:,}; -o json has all."
