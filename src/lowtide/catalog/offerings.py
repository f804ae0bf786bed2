"""What an instance type costs in a region, on demand and on spot.

On-demand prices are bundled for us-east-1 alone (2026-07-20). Another region is priced as us-east-1 and says so in
``priced_as``; its own Spot Advisor savings (2025-06-28) still apply where they are known. Prices that AWS told lately
(``FreshPrices``) go before all of these, for their region; the caller brings them, as this room reads nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from lowtide.catalog.tables import SpotFigure, on_demand_table, sources, spot_table
from lowtide.catalog.types import instance_type, instance_types
from lowtide.model.catalog import FreshPrices, InstanceType, Offering, PriceDates, PriceRow
from lowtide.model.errors import InputError

PRICED_REGION = "us-east-1"

_NO_DISCOUNTS: Mapping[str, float] = {}
NO_FRESH = FreshPrices()


def offering(
    name: str,
    region: str,
    *,
    spot_discount: Mapping[str, float] = _NO_DISCOUNTS,
    fresh: FreshPrices = NO_FRESH,
) -> Offering:
    """Return a type with its prices in a region.

    Args:
        name: the instance type.
        region: the region it runs in.
        spot_discount: by type, the share of the on-demand price that spot saves (0.0-1.0); wins over every other figure.
        fresh: what AWS told lately of that region.

    Raises:
        InputError: the type is unknown, or no on-demand price of it is bundled.
    """
    one = instance_type(name)
    found = _offering(one, region, spot_discount, fresh)
    if found is None:
        raise InputError(
            f"no price is known for {name}",
            why=f"the bundled on-demand prices are those of {PRICED_REGION} (2026-07-20), where it is not sold",
            fix="choose a type that `lowtide prices` shows with a price",
        )
    return found


def offerings(
    region: str,
    *,
    spot_discount: Mapping[str, float] = _NO_DISCOUNTS,
    fresh: FreshPrices = NO_FRESH,
) -> tuple[Offering, ...]:
    """Return every priced type in service that, as far as the figures tell, is sold in the region."""
    found = (
        _offering(one, region, spot_discount, fresh)
        for one in instance_types()
        if not one.retired_on and _is_sold(one.name, region, fresh)
    )
    return tuple(one for one in found if one is not None)


def is_sold(name: str, region: str) -> bool:
    """Return whether a type may be sold in a region.

    A GPU type with spot figures elsewhere and none in this region is taken as not sold there; one without any spot
    figure is newer than the figures and gets the benefit of the doubt.
    """
    return (region, name) in spot_table() or name not in _with_spot_figures()


def _is_sold(name: str, region: str, fresh: FreshPrices) -> bool:
    """Return the same by a fresh price list, which names exactly the types that a region sells."""
    if fresh.region == region and fresh.on_demand_at:
        return name in fresh.on_demand
    return is_sold(name, region)


def price_rows(
    region: str,
    *,
    spot_discount: Mapping[str, float] = _NO_DISCOUNTS,
    fresh: FreshPrices = NO_FRESH,
) -> tuple[PriceRow, ...]:
    """Return what ``lowtide prices`` shows: every known type, by family and size.

    Retired types and types without a price are shown as such, with None for what is not known.
    """
    return tuple(
        _price_row(one, _offering(one, region, spot_discount, fresh)) for one in instance_types()
    )


def price_dates(region: str, fresh: FreshPrices = NO_FRESH) -> PriceDates:
    """Return how old the prices of a region are that ``offering`` answers with."""
    mine = fresh if fresh.region == region else NO_FRESH
    return PriceDates(
        on_demand=mine.on_demand_at or _dated("on_demand.csv"),
        on_demand_refreshed=bool(mine.on_demand_at),
        spot=mine.spot_at or _dated("spot.csv"),
        spot_refreshed=bool(mine.spot_at),
        trouble=mine.trouble,
    )


@functools.cache
def _dated(file: str) -> str:
    return max(one.dated for one in sources() if one.file == file)


@functools.cache
def _with_spot_figures() -> frozenset[str]:
    return frozenset(name for _, name in spot_table())


def _offering(
    one: InstanceType, region: str, spot_discount: Mapping[str, float], fresh: FreshPrices
) -> Offering | None:
    mine = fresh if fresh.region == region else NO_FRESH
    prices = on_demand_table()
    on_demand = mine.on_demand.get(one.name)
    priced_as = region if on_demand is not None or (region, one.name) in prices else PRICED_REGION
    if on_demand is None:
        on_demand = prices.get((priced_as, one.name))
    if on_demand is None:
        return None
    figure = spot_table().get((region, one.name))
    savings = spot_discount.get(one.name)
    spot = mine.spot.get(one.name)
    if savings is None and spot is None and figure is not None:
        savings = figure.savings
    return Offering(
        instance_type=one,
        region=region,
        on_demand_usd_per_hour=on_demand,
        spot_usd_per_hour=spot if savings is None else round(on_demand * (1 - savings), 6),
        interruption_band=_band(figure),
        priced_as=priced_as,
    )


def _band(figure: SpotFigure | None) -> int | None:
    return figure.interruption_band if figure else None


def _price_row(one: InstanceType, priced: Offering | None) -> PriceRow:
    on_demand = priced.on_demand_usd_per_hour if priced else None
    spot = priced.spot_usd_per_hour if priced else None
    return PriceRow(
        instance_type=one,
        on_demand_usd_per_hour=on_demand,
        spot_usd_per_hour=spot,
        on_demand_usd_per_gpu_hour=_per_gpu(on_demand, one),
        spot_usd_per_gpu_hour=_per_gpu(spot, one),
        interruption_band=priced.interruption_band if priced else None,
        priced_as=priced.priced_as if priced else "",
    )


def _per_gpu(usd_per_hour: float | None, one: InstanceType) -> float | None:
    if usd_per_hour is None or not one.nvidia_gpus:
        return None
    return usd_per_hour / one.nvidia_gpus
