"""The price list: which types there are, what they cost in a region, and how old each figure is."""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.app.price_cache import fresh_prices
from lowtide.app.regions import checked_region
from lowtide.catalog.offerings import price_dates, price_rows
from lowtide.catalog.tables import Source as TableSource
from lowtide.catalog.tables import sources
from lowtide.catalog.types import instance_type
from lowtide.model.catalog import PriceDates, PriceRow
from lowtide.model.errors import InputError

#: The catalog's tables that the list is made from; volumes, NAT and addresses are not in it.
_PRICE_LIST = "AWS Price List, Linux, bundled figures where a type is not in it"
_SPOT_HISTORY = (
    "EC2 spot price history, mean of the zones, bundled figures where a type is not in it"
)
_TABLES = ("instance_types.csv", "on_demand.csv", "spot.csv", "retired.csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a column comes from, and the date of its figures."""

    column: str
    source: str
    dated: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Rows of a region; ``priced_as`` are the regions whose on-demand prices these really are."""

    region: str
    rows: tuple[PriceRow, ...]
    sources: tuple[Source, ...]
    dates: PriceDates

    @property
    def priced_as(self) -> tuple[str, ...]:
        """The regions that the shown on-demand prices belong to."""
        return tuple(sorted({row.priced_as for row in self.rows if row.priced_as}))


def prices(region: str, *, gpu: str = "", types: tuple[str, ...] = ()) -> PriceList:
    """Return the price list of a region.

    Args:
        region: an AWS region.
        gpu: a part of a GPU model's name (``T4``), case aside, or ``any``; empty for every type, with GPU or without.
        types: names of instance types; empty for all.

    Raises:
        InputError: the region or a type is not known, or nothing matches.
    """
    checked_region(region, where="--region", command="lowtide prices --region")
    for name in types:
        instance_type(name)
    fresh = fresh_prices(region)
    dates = price_dates(region, fresh)
    rows = tuple(
        row
        for row in price_rows(region, fresh=fresh)
        if _has_gpu(row, gpu.lower()) and (not types or row.instance_type.name in types)
    )
    if not rows:
        raise _nothing_found(gpu, types)
    return PriceList(
        region=region,
        rows=rows,
        sources=tuple(_source(one, dates) for one in sources() if one.file in _TABLES),
        dates=dates,
    )


def _source(one: TableSource, dates: PriceDates) -> Source:
    """Return where a column comes from: of prices that AWS was asked for, not the bundled table."""
    column = f"{one.file}:{one.column}"
    if column == "on_demand.csv:usd_per_hour" and dates.on_demand_refreshed:
        return Source(column=column, source=_PRICE_LIST, dated=dates.on_demand)
    if column == "spot.csv:savings_percent" and dates.spot_refreshed:
        return Source(column=column, source=_SPOT_HISTORY, dated=dates.spot)
    return Source(column=column, source=one.source, dated=one.dated)


def _nothing_found(gpu: str, types: tuple[str, ...]) -> InputError:
    """Return the error for a filter that leaves nothing; without a GPU there is no filter that does."""
    if types:
        wanted = "a GPU" if gpu == "any" else f"a GPU like {gpu!r}"
        return InputError(
            "None of the named types is left",
            where="--gpu",
            why=f"{', '.join(types)}: without {wanted}",
            fix=f"lowtide prices --type {','.join(types)}",
        )
    return InputError(
        f"No instance type has a GPU like {gpu!r}",
        where="--gpu",
        why="models are named as AWS names them: T4, A10G, L4, L40S, V100, A100, H100",
        fix="lowtide prices --gpu any",
    )


def _has_gpu(row: PriceRow, wanted: str) -> bool:
    gpu = row.instance_type.gpu
    if not wanted:
        return True
    return gpu is not None and (wanted == "any" or wanted in gpu.model.lower())
