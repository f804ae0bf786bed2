"""``prices`` shows every figure with its source and date, and says loudly what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Lowtide = Callable[..., Any]


def test_types_can_be_found_by_their_gpu(lowtide: Lowtide) -> None:
    types = lowtide("prices", "--gpu", "a10g", "-o", "json").document["types"]
    assert {one["gpu"]["model"] for one in types} == {"A10G"}
    assert "g5.xlarge" in {one["name"] for one in types}


def test_any_gpu_leaves_out_types_without_one(lowtide: Lowtide) -> None:
    types = lowtide("prices", "--gpu", "any", "-o", "json").document["types"]
    assert "m5.large" not in {one["name"] for one in types}
    assert all(one["gpu"] for one in types)


def test_types_can_be_named(lowtide: Lowtide) -> None:
    document = lowtide("prices", "--type", "g5.xlarge,m5.large", "-o", "json").document
    assert document["schema"] == "lowtide.prices/v1"
    assert {one["name"] for one in document["types"]} == {"g5.xlarge", "m5.large"}


def test_price_per_gpu_hour_is_the_price_divided_by_the_gpus(lowtide: Lowtide) -> None:
    (one,) = lowtide("prices", "--type", "g4dn.12xlarge", "-o", "json").document["types"]
    assert one["nvidia_gpus"] == 4
    assert one["on_demand_usd_per_gpu_hour"] == one["on_demand_usd_per_hour"] / 4


def test_every_source_has_a_date(lowtide: Lowtide) -> None:
    document = lowtide("prices", "--type", "g5.xlarge", "-o", "json").document
    assert document["sources"]
    assert all(one["source"] and one["dated"] for one in document["sources"])
    words = lowtide("prices", "--type", "g5.xlarge").err
    dates = {one["column"]: one["dated"] for one in document["sources"]}
    for column in ("on_demand.csv:usd_per_hour", "spot.csv:savings_percent"):
        assert f"({dates[column]})" in words


def test_a_region_without_prices_of_its_own_says_so_loudly(lowtide: Lowtide) -> None:
    ran = lowtide("prices", "--region", "eu-west-1", "--type", "g5.xlarge")
    assert ran.code == 0
    assert "NOTICE" in ran.err
    assert "us-east-1" in ran.err
    assert "NOTICE" not in lowtide("prices", "--type", "g5.xlarge").err


def test_a_slice_of_a_gpu_is_shown_and_offers_none(lowtide: Lowtide) -> None:
    (one,) = lowtide("prices", "--type", "g6f.xlarge", "-o", "json").document["types"]
    assert one["nvidia_gpus"] == 0
    assert one["gpu"]["fractional"] is True
    assert "slice" in lowtide("prices", "--type", "g6f.xlarge").out


def test_an_unknown_type_or_gpu_is_an_error_that_helps(lowtide: Lowtide) -> None:
    wrong_type = lowtide("prices", "--type", "g5.xlrge")
    assert wrong_type.code == 2
    assert "g5.xlarge" in wrong_type.err
    wrong_gpu = lowtide("prices", "--gpu", "T800")
    assert wrong_gpu.code == 2
    assert "T800" in wrong_gpu.err


def test_with_json_nothing_but_the_document_is_printed(lowtide: Lowtide) -> None:
    ran = lowtide("prices", "--gpu", "T4", "-o", "json")
    assert ran.document["region"] == "us-east-1"
    assert ran.err == ""


def test_a_region_that_is_none_is_met_with_the_nearest_one(lowtide: Lowtide) -> None:
    ran = lowtide("prices", "--region", "eu-wst-1")
    assert ran.code == 2
    assert "did you mean: lowtide prices --region eu-west-1" in ran.err


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_type_and_gpu_are_whole_on_every_terminal(
    lowtide: Lowtide, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    types = lowtide("prices", "-o", "json").document["types"]
    monkeypatch.setattr("lowtide.cli.prices.width_of", lambda _: width)
    ran = lowtide("prices")
    head, *rows = ran.out.splitlines()
    assert head.split()[0] == "TYPE"
    assert len(rows) == len(types)
    for row, one in zip(rows, types, strict=True):
        assert row.split()[0] == one["name"]
        assert not one["gpu"] or f"{one['gpu']['manufacturer']} {one['gpu']['model']}" in row
    assert ("INTERRUPTED/MONTH" in head) is (width == 200)
    assert ("-o json has all" in ran.err) is (width != 200)
    assert width == 40 or max(map(len, [head, *rows])) <= width
