"""The bundled tables, read once: instance types, on-demand prices, spot figures, retirements.

Why it exists: one place knows the files' form; everybody else sees values. Where each column comes from,
and when it was read, stands in ``data/sources.csv``.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lowtide.catalog.families import ami_families
from lowtide.model.catalog import Gpu, InstanceShape, InstanceType

DATA = Path(__file__).parent / "data"

_GB = 1000**3
_GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotFigure:
    """The Spot Advisor's figure: share of the region's on-demand price saved, and the band 0..4."""

    savings: float
    interruption_band: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a column of a bundled table comes from, and the date of its figures."""

    file: str
    column: str
    source: str
    dated: str


def rows(file: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a bundled table by column name."""
    with (DATA / file).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


@functools.cache
def type_table() -> Mapping[str, InstanceType]:
    """Return every known instance type by name."""
    retired = {row["family"]: row for row in rows("retired.csv")}
    return {row["name"]: _instance_type(row, retired) for row in rows("instance_types.csv")}


@functools.cache
def autoscaler_table() -> Mapping[str, InstanceShape]:
    """Return what the autoscaler's static list knows, for the types of ours that it lists."""
    types = type_table()
    return {
        row["name"]: autoscaler_shape(types[row["name"]], int(row["autoscaler_gpu"]))
        for row in rows("instance_types.csv")
        if row["autoscaler_gpu"]
    }


def autoscaler_shape(one: InstanceType, gpus: int) -> InstanceShape:
    """Return a type as an entry of the autoscaler's instance list, with that many GPUs."""
    return InstanceShape(
        name=one.name, vcpu=one.vcpu, memory_mib=one.memory_mib, gpu=gpus, arch=one.arch
    )


@functools.cache
def on_demand_table() -> Mapping[tuple[str, str], float]:
    """Return on-demand prices in USD per hour by region and type."""
    return {
        (row["region"], row["name"]): float(row["usd_per_hour"]) for row in rows("on_demand.csv")
    }


@functools.cache
def spot_table() -> Mapping[tuple[str, str], SpotFigure]:
    """Return the spot figures by region and type."""
    return {
        (row["region"], row["name"]): SpotFigure(
            savings=int(row["savings_percent"]) / 100,
            interruption_band=int(row["interruption_band"]),
        )
        for row in rows("spot.csv")
    }


@functools.cache
def sources() -> tuple[Source, ...]:
    """Return source and date of every column of the bundled tables."""
    return tuple(Source(**row) for row in rows("sources.csv"))


def _instance_type(row: dict[str, str], retired: Mapping[str, dict[str, str]]) -> InstanceType:
    family = row["name"].partition(".")[0]
    gone = retired.get(family)
    gpu = _gpu(row)
    return InstanceType(
        name=row["name"],
        vcpu=int(row["vcpu"]),
        memory_mib=int(row["memory_mib"]),
        arch=row["arch"],
        gpu=gpu,
        max_pods=_optional_int(row["max_pods"]),
        local_nvme_gib=_gib_from_gb(row["local_nvme_gb"]),
        network=row["network"] or None,
        ami_families=ami_families(family, gpu),
        accelerator=row["accelerator"],
        retired_on=gone["retired_on"] if gone else None,
        retired_why=gone["why"] if gone else "",
    )


def _gpu(row: dict[str, str]) -> Gpu | None:
    if not row["gpu_manufacturer"]:
        return None
    return Gpu(
        manufacturer=row["gpu_manufacturer"],
        model=row["gpu_model"],
        count=int(row["gpu_count"]),
        memory_mib=int(row["gpu_memory_mib"]),
        fractional=bool(row["gpu_share"]),
    )


def _optional_int(text: str) -> int | None:
    return int(text) if text else None


def _gib_from_gb(text: str) -> int | None:
    """Return whole GiB of what EC2 reports in decimal GB (a g4dn.xlarge's 125 GB disk shows 116 GiB)."""
    return int(text) * _GB // _GIB if text else None
