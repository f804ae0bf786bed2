"""Numbers as a person says them, the same in the terminal and on the page.

It must not know what the numbers mean.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import Any

from lowtide.model.catalog import PriceDates

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400

#: Distances between two ticks of a time axis that a reader can count in, in seconds.
_STEPS_S = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * MINUTE_S for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR_S for hours in (1, 2, 3, 6, 12)),
    *(days * DAY_S for days in (1, 2, 7, 14, 28)),
)


def duration_text(seconds: float) -> str:
    """Return seconds as ``0.4s``, ``41s``, ``3m08s``, ``1h30m`` or ``2d4h``: two units at most."""
    if seconds < 0:
        return "-" + duration_text(-seconds)
    if seconds < 10 and round(seconds, 1) != round(seconds):
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole >= HOUR_S:
        whole = round(whole / MINUTE_S) * MINUTE_S
    if whole >= DAY_S:
        whole = round(whole / HOUR_S) * HOUR_S
    days, hours = divmod(whole // HOUR_S, 24)
    minutes, rest = whole % HOUR_S // MINUTE_S, whole % MINUTE_S
    if days:
        return f"{days}d{hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h{minutes:02}m" if minutes else f"{hours}h"
    if minutes:
        return f"{minutes}m{rest:02}s" if rest else f"{minutes}m"
    return f"{rest}s"


def clock_text(seconds: float) -> str:
    """Return a moment of the run, counted from its start, as ``1:02:03`` or ``2d 1:02:03``."""
    days, rest = divmod(int(seconds), DAY_S)
    clock = f"{rest // HOUR_S}:{rest % HOUR_S // MINUTE_S:02}:{rest % MINUTE_S:02}"
    return f"{days}d {clock}" if days else clock


def usd_text(usd: float) -> str:
    """Return dollars with the digits that matter: ``$0.0042``, ``$6.21``, ``$12,345``."""
    if usd < 0:
        return "-" + usd_text(-usd)
    if usd == 0 or 0.01 <= usd < 10_000:
        return f"${usd:,.2f}"
    return f"${usd:,.0f}" if usd >= 10_000 else f"${usd:.4f}"


def percent_text(share: float) -> str:
    """Return a share (1 is all) as ``84 %``; a share below one percent keeps a digit."""
    percent = share * 100
    if percent and abs(percent) < 1:
        return f"{percent:.1f} %"
    return f"{percent:,.0f} %"


def price_dates_text(dates: PriceDates, today: str = "") -> str:
    """Return how old the instance prices are, and which kept ones could not be read; empty where nobody knows.

    ``today`` (ISO 8601) adds the days.
    """
    if not (dates.on_demand and dates.spot):
        return ""
    on_demand = _dated_text(dates.on_demand, today, refreshed=dates.on_demand_refreshed)
    spot = _dated_text(dates.spot, today, refreshed=dates.spot_refreshed)
    trouble = f"; {printable(dates.trouble)}" if dates.trouble else ""
    return f"instance prices: on-demand of {on_demand}, spot of {spot}{trouble}"


def prices_json(dates: PriceDates) -> dict[str, Any]:
    """Return the same for programs: the date of each kind of price, and whether AWS was asked for it."""
    dated: dict[str, Any] = {
        "on_demand": {"dated": dates.on_demand, "refreshed": dates.on_demand_refreshed},
        "spot": {"dated": dates.spot, "refreshed": dates.spot_refreshed},
    }
    return {**dated, "trouble": dates.trouble} if dates.trouble else dated


def _dated_text(moment: str, today: str, *, refreshed: bool) -> str:
    day = moment[:10]
    origin = "from AWS" if refreshed else "bundled"
    if not today:
        return f"{day} ({origin})"
    days = (dt.date.fromisoformat(today) - dt.date.fromisoformat(day)).days
    return f"{day} ({origin}, {count_text(max(0, days), 'day')} old)"


def count_text(count: int, one: str, many: str = "") -> str:
    """Return ``1 pod`` or ``1,200 pods``; ``many`` where adding an s is not the plural."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def printable(text: str) -> str:
    r"""Return text safe for a terminal: control and format characters as ``\x1b``, on one line.

    Names come from the user's files, and an escape sequence in one must not reach the terminal.
    """
    return "".join(
        f"\\x{ord(char):02x}" if unicodedata.category(char) in {"Cc", "Cf", "Cs"} else char
        for char in text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    )


def tick_step(seconds: float, at_most: int) -> int:
    """Return the smallest readable distance, in seconds, that needs at most that many ticks."""
    wanted = seconds / max(1, at_most)
    for step in _STEPS_S:
        if step >= wanted:
            return step
    return -(-int(wanted) // _STEPS_S[-1]) * _STEPS_S[-1]
