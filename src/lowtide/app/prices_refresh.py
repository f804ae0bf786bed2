"""Asks AWS for the prices of a region and keeps them.

Why it exists: bundled prices are of one region and of a day long ago. Either part is worth keeping without the other, so a refusal of one
does not lose the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lowtide.app.price_cache import read_cache, write_cache
from lowtide.app.regions import checked_region
from lowtide.catalog.types import instance_types
from lowtide.model.errors import AwsError

Prices = TypeVar("Prices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What was asked and kept: numbers of types with a price, and the file."""

    region: str
    on_demand: int
    spot: int
    file: Path
    at: dt.datetime


def refresh_prices(region: str, *, profile: str | None = None) -> Refreshed:
    """Ask for the on-demand and spot prices of every type that the catalog knows, and keep them.

    Raises:
        InputError: there is no such region.
        AwsError: AWS refused a part; the other is kept.
        LowtideError: the file cannot be written.
    """
    checked_region(region, where="--region", command="lowtide prices refresh --region")
    from lowtide.aws.live.account import Account  # noqa: PLC0415 - loads boto3
    from lowtide.aws.live.prices import on_demand_prices, spot_prices  # noqa: PLC0415

    now = dt.datetime.now(tz=dt.UTC)
    names = [one.name for one in instance_types()]
    listed, list_error = _attempt(lambda: on_demand_prices(region, profile=profile))
    traded, spot_error = _attempt(lambda: spot_prices(Account(region, profile), names, now=now))
    kept = replace(read_cache(region), trouble="")
    if listed:
        known = {name: usd for name, usd in listed.items() if name in set(names)}
        kept = replace(kept, on_demand=known, on_demand_at=now)
    if traded:
        kept = replace(kept, spot=traded, spot_at=now)
    file = write_cache(kept) if listed or traded else None
    for error in (list_error, spot_error):
        if error is not None:
            raise error
    if file is None:
        raise _nothing_told(region)
    return Refreshed(
        region=region, on_demand=len(kept.on_demand), spot=len(kept.spot), file=file, at=now
    )


def _attempt(ask: Callable[[], Prices]) -> tuple[Prices | None, AwsError | None]:
    try:
        return ask(), None
    except AwsError as error:
        return None, error


def _nothing_told(region: str) -> AwsError:
    return AwsError(
        f"AWS told no price of {region}",
        where="pricing:GetProducts and ec2:DescribeSpotPriceHistory",
        why="both answers were empty",
        fix="lowtide prices shows the bundled ones",
    )
