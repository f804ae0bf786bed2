"""Prices: on demand, spot, other regions, volumes and services."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from lowtide import catalog
from lowtide.model.errors import InputError


def test_spot_is_the_on_demand_price_less_the_advisors_savings() -> None:
    # On demand 0.526 (2026-07-20); Spot Advisor 2025-06-28, us-east-1: 64 % saved, band 15-20 %.
    found = catalog.offering("g4dn.xlarge", "us-east-1")
    assert found.on_demand_usd_per_hour == 0.526
    assert found.spot_usd_per_hour == pytest.approx(0.526 * 0.36)
    assert found.interruption_band == 3
    assert found.priced_as == "us-east-1"


def test_another_region_is_priced_as_us_east_1_with_its_own_savings() -> None:
    found = catalog.offering("g4dn.xlarge", "af-south-1")
    home = catalog.offering("g4dn.xlarge", "us-east-1")
    assert found.on_demand_usd_per_hour == home.on_demand_usd_per_hour
    assert found.priced_as == "us-east-1"
    assert found.spot_usd_per_hour != home.spot_usd_per_hour


def test_general_types_have_spot_only_with_a_discount() -> None:
    assert catalog.offering("m5.large", "us-east-1").spot_usd_per_hour is None
    given = catalog.offering("m5.large", "us-east-1", spot_discount={"m5.large": 0.6})
    assert given.spot_usd_per_hour == pytest.approx(0.096 * 0.4)


def test_a_given_discount_wins_over_the_bundled_figure() -> None:
    given = catalog.offering("g4dn.xlarge", "us-east-1", spot_discount={"g4dn.xlarge": 0.5})
    assert given.spot_usd_per_hour == pytest.approx(0.263)
    assert given.interruption_band == 3


def test_a_type_without_price_is_an_error_that_says_so() -> None:
    with pytest.raises(InputError, match=r"p5e\.48xlarge"):
        catalog.offering("p5e.48xlarge", "us-east-1")


def test_every_gpu_offering_costs_less_on_spot() -> None:
    priced = [one for one in catalog.offerings("us-east-1") if one.spot_usd_per_hour is not None]
    assert len(priced) > 40
    assert all(0 < (one.spot_usd_per_hour or 0) < one.on_demand_usd_per_hour for one in priced)


def test_offerings_leave_out_what_is_retired_or_not_sold_there() -> None:
    names = {one.instance_type.name for one in catalog.offerings("eu-west-1")}
    assert "p3.2xlarge" not in names
    assert "g6.xlarge" not in names  # the Spot Advisor has it elsewhere and not in eu-west-1
    assert {"g4dn.xlarge", "m5.large", "g7.2xlarge"} <= names


def test_price_rows_show_every_type_and_the_price_of_a_gpu_hour() -> None:
    by_name = {row.instance_type.name: row for row in catalog.price_rows("us-east-1")}
    assert set(by_name) == {one.name for one in catalog.instance_types()}
    twelve = by_name["g4dn.12xlarge"]
    assert twelve.on_demand_usd_per_gpu_hour == pytest.approx(3.912 / 4)
    assert by_name["g6f.large"].on_demand_usd_per_gpu_hour is None
    assert by_name["p5e.48xlarge"].on_demand_usd_per_hour is None
    assert by_name["p2.xlarge"].instance_type.max_pods is None


def test_on_demand_prices_are_those_of_the_shared_table(shared_data: Callable[[str], Path]) -> None:
    with shared_data("aws-ec2/on_demand_us_east_1.csv").open() as lines:
        listed = {row[0]: float(row[1]) for row in list(csv.reader(lines))[1:]}
    ours = {
        row.instance_type.name: row.on_demand_usd_per_hour
        for row in catalog.price_rows("us-east-1")
    }
    assert ours == {name: listed.get(name) for name in ours}


def test_spot_figures_are_those_of_the_advisor(shared_data: Callable[[str], Path]) -> None:
    with shared_data("spot-advisor/gpu_linux.csv").open() as lines:
        listed = list(csv.DictReader(lines))
    assert len(listed) > 600
    for row in listed:
        found = {one.instance_type.name: one for one in catalog.price_rows(row["region"])}[
            row["instance_type"]
        ]
        saved = int(row["savings_pct_over_on_demand"]) / 100
        assert found.interruption_band == int(row["interruption_range_index"])
        assert found.spot_usd_per_hour == pytest.approx(
            (found.on_demand_usd_per_hour or 0) * (1 - saved), abs=1e-6
        )


@pytest.mark.parametrize(
    ("volume_type", "gib", "iops", "throughput_mib", "usd"),
    [
        ("gp3", 80, None, None, 6.4),
        ("gp3", 80, 3000, 125, 6.4),
        ("gp3", 100, 4000, 225, 8.0 + 1000 * 0.005 + 100 * 0.04),
        ("gp2", 80, None, None, 8.0),
        ("io1", 100, 1000, None, 12.5 + 65.0),
    ],
)
def test_a_volume_costs_size_and_what_is_provisioned_above_the_free_part(
    volume_type: str, gib: int, iops: int | None, throughput_mib: int | None, usd: float
) -> None:
    price = catalog.volume_usd_per_month(volume_type, gib, iops=iops, throughput_mib=throughput_mib)
    assert price == pytest.approx(usd)


@pytest.mark.parametrize(
    ("minor", "support_type", "usd"),
    [
        # Standard support of 1.33 ended on 2026-07-29, before the day of the versions' table; that of 1.34 had not.
        ("1.33", "STANDARD", 0.10),
        ("1.33", "EXTENDED", 0.60),
        ("1.34", "EXTENDED", 0.10),
        ("1.36", "EXTENDED", 0.10),
    ],
)
def test_only_extended_support_of_an_old_version_costs_more(
    minor: str, support_type: str, usd: float
) -> None:
    version = catalog.kubernetes_version(minor)
    assert catalog.control_plane_usd_per_hour(version, support_type) == usd
