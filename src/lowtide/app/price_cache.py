"""Prices that AWS told lately, kept on this machine: a file a region, with the moment of each figure.

Why it exists: a price list of another day is still the right one for a plan of today, so it is asked for once; one that has grown old is
not used any more and the bundled one is again.

What it must not know: AWS. ``LOWTIDE_PRICES=bundled`` leaves the cache out, so that a figure can be had again on another machine. What an
endpoint of one's own (AWS_ENDPOINT_URL) said counts for that endpoint alone; on this machine that is every port, for an embedded AWS has
another one each time. A file that cannot be read holds nothing, and whoever uses the prices is told so.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.model.catalog import FreshPrices
from lowtide.model.errors import LowtideError

SCHEMA = "lowtide.price-cache/v1"
#: Says which prices are used; anything but ``bundled`` means the cache first.
VARIABLE = "LOWTIDE_PRICES"
BUNDLED = "bundled"
#: On-demand prices change a few times a year, spot prices several times a day but slowly (EC2 user guide, "Spot Instance pricing
#: history": they "adjust gradually").
ON_DEMAND_FRESH = dt.timedelta(days=7)
SPOT_FRESH = dt.timedelta(days=1)
#: By so much a clock may be wrong.
_SKEW = dt.timedelta(hours=1)
_LOOPBACK = re.compile(r"(https?://(?:127(?:\.\d+){3}|localhost|\[::1\]))(?::\d+)?/?\Z")
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_PRICING")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPrices:
    """What a file of the cache holds: USD per hour by type, spot by type and zone; ``*_at`` are None where never asked.

    ``trouble`` says of a file that is there and cannot be read which it is, why, and how it is mended.
    """

    region: str
    on_demand: Mapping[str, float] = field(default_factory=dict)
    on_demand_at: dt.datetime | None = None
    spot: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    spot_at: dt.datetime | None = None
    trouble: str = ""

    def fresh(self, now: dt.datetime) -> FreshPrices:
        """Return what is still fresh, a spot price being the mean of its zones."""
        listed = _is_fresh(self.on_demand_at, now, ON_DEMAND_FRESH)
        traded = _is_fresh(self.spot_at, now, SPOT_FRESH)
        return FreshPrices(
            region=self.region,
            on_demand=dict(self.on_demand) if listed else {},
            on_demand_at=_iso(self.on_demand_at) if listed else "",
            spot={name: _mean(zones) for name, zones in self.spot.items()} if traded else {},
            spot_at=_iso(self.spot_at) if traded else "",
            trouble=self.trouble,
        )


def fresh_prices(region: str) -> FreshPrices:
    """Return the fresh prices of a region, none of them where there is no cache, or it is not wanted."""
    if os.environ.get(VARIABLE) == BUNDLED:
        return FreshPrices()
    return read_cache(region).fresh(dt.datetime.now(tz=dt.UTC))


def read_cache(region: str) -> CachedPrices:
    """Return what is kept of a region; a file that cannot be read holds nothing, and says why."""
    file = cache_file(region)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["schema"] == SCHEMA and document["region"] == region:
            return _from_document(document)
        why = f"it is no {SCHEMA} of {region}"
    except FileNotFoundError:
        return CachedPrices(region=region)
    except OSError as error:
        why = error.strerror or str(error)
    except json.JSONDecodeError as error:
        why = f"no JSON: {error}"
    except (ValueError, KeyError, TypeError, AttributeError):
        why = "what is in it are no prices"
    mended = f"lowtide prices refresh --region {region} writes it anew"
    return CachedPrices(region=region, trouble=f"{file} cannot be read ({why}): {mended}")


def write_cache(prices: CachedPrices) -> Path:
    """Write a region's prices as a whole and return the file.

    Raises:
        LowtideError: it cannot be written.
    """
    from lowtide.app.whole_file import write_whole  # noqa: PLC0415 - readers do not need it

    path = cache_file(prices.region)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LowtideError(
            "The prices cannot be kept",
            where=str(path.parent),
            why=error.strerror or str(error),
            fix="set XDG_CACHE_HOME to a folder that is yours",
        ) from error
    write_whole(str(path), json.dumps(_document(prices), indent=1) + "\n")
    return path


def cache_file(region: str) -> Path:
    """Return where a region's prices are kept."""
    return cache_folder("prices") / f"{region}.json"


def cache_folder(what: str) -> Path:
    """Return where answers of AWS are kept, by the XDG base directory specification; each endpoint has a folder of its own."""
    environ = os.environ
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home(), ".cache")
    folder = Path(home, "lowtide", what)
    elsewhere = [f"{name}={_endpoint(environ[name])}" for name in _ENDPOINTS if environ.get(name)]
    if elsewhere:
        import hashlib  # noqa: PLC0415 - 5 ms that only an endpoint of one's own needs

        folder /= f"endpoint-{hashlib.sha256(' '.join(elsewhere).encode()).hexdigest()[:12]}"
    return folder


def _endpoint(url: str) -> str:
    """Return an endpoint without what changes each time: the port, where it is one of this machine."""
    host = _LOOPBACK.match(url)
    return host[1] if host else url


def _document(prices: CachedPrices) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "region": prices.region,
        "on_demand": {
            "at": _iso(prices.on_demand_at),
            "usd_per_hour": dict(sorted(prices.on_demand.items())),
        },
        "spot": {
            "at": _iso(prices.spot_at),
            "usd_per_hour": {name: dict(prices.spot[name]) for name in sorted(prices.spot)},
        },
    }


def _from_document(document: Mapping[str, Any]) -> CachedPrices:
    listed, traded = document["on_demand"], document["spot"]
    return CachedPrices(
        region=document["region"],
        on_demand={str(name): _usd(usd) for name, usd in listed["usd_per_hour"].items()},
        on_demand_at=_moment(listed["at"]),
        spot={
            str(name): {str(zone): _usd(usd) for zone, usd in zones.items()}
            for name, zones in traded["usd_per_hour"].items()
            if zones
        },
        spot_at=_moment(traded["at"]),
    )


def _usd(value: Any) -> float:
    usd = float(value)
    if not 0 < usd < 1e6:  # also no NaN
        raise ValueError(value)
    return usd


def _mean(zones: Mapping[str, float]) -> float:
    return round(math.fsum(zones.values()) / len(zones), 6)


def _is_fresh(moment: dt.datetime | None, now: dt.datetime, kept: dt.timedelta) -> bool:
    return moment is not None and -_SKEW <= now - moment <= kept


def _iso(moment: dt.datetime | None) -> str:
    return "" if moment is None else moment.astimezone(dt.UTC).isoformat(timespec="seconds")


def _moment(text: str) -> dt.datetime | None:
    if not text:
        return None
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
