"""``prices refresh`` asks AWS, and its answer goes before the bundled prices while it is fresh."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lowtide import catalog
from lowtide.app.price_cache import CachedPrices, cache_file, fresh_prices, read_cache, write_cache
from lowtide.aws.live.account import Account
from lowtide.aws.live.prices import on_demand_prices, spot_prices
from lowtide.model.catalog import FreshPrices
from tests.account.conftest import Cloud, Lowtide

NOW = dt.datetime.now(tz=dt.UTC)


def test_the_on_demand_price_of_every_page_is_read(cloud: Cloud) -> None:
    found = on_demand_prices("us-east-1")
    sold = {one.instance_type.name for one in catalog.offerings("us-east-1")}
    assert sold == found.keys()
    assert (
        found["g4dn.xlarge"] == catalog.offering("g4dn.xlarge", "us-east-1").on_demand_usd_per_hour
    )
    pages = [params for _, operation, params in cloud.calls if operation == "GetProducts"]
    assert len(pages) == -(-len(sold) // 100)
    assert all(
        {"Type": "TERM_MATCH", "Field": "operatingSystem", "Value": "Linux"} in one["Filters"]
        for one in pages
    )


def test_spot_prices_are_those_in_force_in_each_zone(cloud: Cloud) -> None:
    found = spot_prices(Account("us-east-1"), ["g4dn.xlarge", "g5.xlarge"], now=NOW)
    assert set(found) == {"g4dn.xlarge", "g5.xlarge"}
    assert len(found["g4dn.xlarge"]) >= 3
    history = cloud.client("ec2").describe_spot_price_history(
        InstanceTypes=["g4dn.xlarge"],
        AvailabilityZone="us-east-1a",
        ProductDescriptions=["Linux/UNIX"],
    )["SpotPriceHistory"]
    assert found["g4dn.xlarge"]["us-east-1a"] == float(history[0]["SpotPrice"])


def test_a_plan_is_priced_with_what_was_refreshed_and_says_so(
    cloud: Cloud, lowtide: Lowtide
) -> None:
    assert lowtide("init", "--name", "vision", "--gpu-type", "g4dn.xlarge").code == 0
    before = json.loads(lowtide("plan", "-o", "json").out)
    assert before["prices"]["spot"] == {"dated": "2025-06-28", "refreshed": False}
    refreshed = lowtide("prices", "refresh", "-o", "json")
    assert refreshed.code == 0, refreshed.err
    after = json.loads(lowtide("plan", "-o", "json").out)
    assert after["prices"]["on_demand"]["refreshed"]
    assert after["prices"]["spot"]["dated"][:10] == NOW.date().isoformat()
    moment = dt.datetime.now(tz=dt.UTC)  # spot moves while the tests run
    asked = spot_prices(cloud.account, ["g4dn.xlarge"], now=moment)["g4dn.xlarge"].values()
    (gpu,) = after["gpu_hour_usd"]
    assert gpu["spot"] == pytest.approx(sum(asked) / len(asked), abs=1e-4)
    assert gpu["spot"] != before["gpu_hour_usd"][0]["spot"]
    assert "from AWS, 0 days old" in lowtide("plan").out


def test_another_region_is_priced_for_real_after_a_refresh(cloud: Cloud, lowtide: Lowtide) -> None:
    assert "those of us-east-1" in lowtide("prices", "--region", "eu-west-1", "--gpu", "T4").err
    kept = CachedPrices(region="eu-west-1", on_demand={"g4dn.xlarge": 0.587}, on_demand_at=NOW)
    write_cache(kept)
    (row,) = json.loads(
        lowtide("prices", "--region", "eu-west-1", "--type", "g4dn.xlarge", "-o", "json").out
    )["types"]
    assert (row["on_demand_usd_per_hour"], row["priced_as"]) == (0.587, "eu-west-1")


def test_a_plan_elsewhere_is_priced_there_once_aws_was_asked_for_that_region(
    cloud: Cloud, lowtide: Lowtide
) -> None:
    made = lowtide("init", "--name", "vision", "--gpu-type", "g4dn.xlarge", "--region", "eu-west-1")
    assert made.code == 0, made.err
    before = json.loads(lowtide("plan", "-o", "json").out)
    assert before["prices"]["on_demand"]["refreshed"] is False
    foreign = "prices are those of us-east-1, not of eu-west-1"
    assert any(one.startswith(foreign) for one in before["notices"])
    refreshed = lowtide("prices", "refresh", "--region", "eu-west-1", "-o", "json")
    assert refreshed.code == 0, refreshed.err
    asked = [params for _, operation, params in cloud.calls if operation == "GetProducts"]
    region = {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"}
    assert all(region in one["Filters"] for one in asked)
    after = json.loads(lowtide("plan", "-o", "json").out)
    assert not any(one.startswith(foreign) for one in after["notices"])
    assert after["prices"]["on_demand"]["refreshed"]
    (row,) = json.loads(
        lowtide("prices", "--region", "eu-west-1", "--type", "g4dn.xlarge", "-o", "json").out
    )["types"]
    assert row["priced_as"] == "eu-west-1"
    told = on_demand_prices("eu-west-1")["g4dn.xlarge"]
    assert row["on_demand_usd_per_hour"] == told
    assert after["gpu_hour_usd"][0]["on_demand"] == told, "which the plan says, too"


def test_old_prices_are_not_used_and_spot_prices_grow_old_first() -> None:
    kept = CachedPrices(
        region="us-east-1",
        on_demand={"g4dn.xlarge": 9.0},
        on_demand_at=NOW,
        spot={"g4dn.xlarge": {"us-east-1a": 1.0, "us-east-1b": 3.0}},
        spot_at=NOW,
    )
    fresh = kept.fresh(NOW + dt.timedelta(hours=23))
    assert (fresh.on_demand, fresh.spot) == ({"g4dn.xlarge": 9.0}, {"g4dn.xlarge": 2.0})
    later = kept.fresh(NOW + dt.timedelta(days=2))
    assert (later.on_demand, later.spot, later.spot_at) == ({"g4dn.xlarge": 9.0}, {}, "")
    assert kept.fresh(NOW + dt.timedelta(days=8)) == FreshPrices(region="us-east-1")
    assert kept.fresh(NOW - dt.timedelta(days=1)) == FreshPrices(region="us-east-1")


def test_a_discount_of_the_user_wins_over_a_fresh_spot_price() -> None:
    fresh = FreshPrices(
        region="us-east-1", on_demand={"g4dn.xlarge": 1.0}, spot={"g4dn.xlarge": 0.9}
    )
    assert catalog.offering("g4dn.xlarge", "us-east-1", fresh=fresh).spot_usd_per_hour == 0.9
    told = catalog.offering(
        "g4dn.xlarge", "us-east-1", fresh=fresh, spot_discount={"g4dn.xlarge": 0.5}
    )
    assert told.spot_usd_per_hour == 0.5


def test_prices_of_one_region_say_nothing_of_another() -> None:
    fresh = FreshPrices(
        region="eu-west-1", on_demand={"g4dn.xlarge": 9.0}, on_demand_at="2026-01-01"
    )
    assert catalog.offering("g4dn.xlarge", "us-east-1", fresh=fresh).on_demand_usd_per_hour < 1
    assert not catalog.price_dates("us-east-1", fresh).on_demand_refreshed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON: Expecting value"),
        ("{", "no JSON: Expecting property name"),
        ("[]", "what is in it are no prices"),
        ('{"schema": "lowtide.price-cache/v1"}', "what is in it are no prices"),
        ('{"schema": 1, "region": "us-east-1"}', "it is no lowtide.price-cache/v1 of us-east-1"),
    ],
)
def test_a_cache_that_cannot_be_read_holds_nothing_and_says_how_it_is_mended(
    text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOWTIDE_PRICES", "")
    file = cache_file("us-east-1")
    assert fresh_prices("us-east-1").trouble == "", "no file is no trouble"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    fresh = fresh_prices("us-east-1")
    assert replace(fresh, trouble="") == FreshPrices(region="us-east-1")
    assert fresh.trouble.startswith(f"{file} cannot be read ({why}")
    assert fresh.trouble.endswith("lowtide prices refresh --region us-east-1 writes it anew")


def test_whoever_uses_prices_is_told_of_a_cache_that_cannot_be_read(
    lowtide: Lowtide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOWTIDE_PRICES", "")
    assert lowtide("init", "--zones", "a").code == 0
    file = cache_file("us-east-1")
    file.parent.mkdir(parents=True)
    file.write_text("{")
    told = "lowtide prices refresh --region us-east-1 writes it anew"
    for line in (("plan",), ("simulate",), ("prices", "--type", "g4dn.xlarge")):
        ran = lowtide(*line)
        assert ran.code == 0
        assert told in " ".join((ran.out + ran.err).split()), line
        document = json.loads(lowtide(*line, "-o", "json").out)
        assert document["prices"]["trouble"].startswith(str(file))


@pytest.mark.parametrize("usd", [-1, 0, float("nan"), "dear", None])
def test_a_price_that_is_none_is_not_believed(
    usd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    whole = CachedPrices(region="us-east-1", on_demand={"g4dn.xlarge": 0.5}, on_demand_at=NOW)
    file = write_cache(whole)
    assert read_cache("us-east-1").on_demand == {"g4dn.xlarge": 0.5}
    document = json.loads(file.read_text())
    document["on_demand"]["usd_per_hour"]["g4dn.xlarge"] = usd
    file.write_text(json.dumps(document))
    kept = read_cache("us-east-1")
    assert "what is in it are no prices" in kept.trouble
    assert replace(kept, trouble="") == CachedPrices(region="us-east-1")


def test_what_an_endpoint_of_ones_own_said_counts_for_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws = cache_file("us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    box = cache_file("us-east-1")
    assert box not in {aws, aws.parent}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:50123/")
    assert cache_file("us-east-1") == box, "an embedded AWS has another port each time"
    for elsewhere in ("http://10.0.0.7:4566", "http://10.0.0.7:4567", "http://127.0.0.1.evil:1"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
        assert cache_file("us-east-1") not in {aws, box}
        aws = cache_file("us-east-1")


def test_bundled_prices_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_cache(CachedPrices(region="us-east-1", on_demand={"g4dn.xlarge": 9.0}, on_demand_at=NOW))
    monkeypatch.setenv("LOWTIDE_PRICES", "")
    assert fresh_prices("us-east-1").on_demand == {"g4dn.xlarge": 9.0}
    monkeypatch.setenv("LOWTIDE_PRICES", "bundled")
    assert fresh_prices("us-east-1") == FreshPrices()


def test_where_one_part_is_denied_the_other_is_kept(cloud: Cloud, lowtide: Lowtide) -> None:
    cloud.fault(kind="access-denied", service="pricing")
    ran = lowtide("prices", "refresh")
    assert ran.code == 4
    assert "pricing:GetProducts" in ran.err
    kept = read_cache("us-east-1")
    assert kept.spot["g4dn.xlarge"]
    assert not kept.on_demand


def test_a_region_that_is_none_is_refused_before_aws_is_asked(
    cloud: Cloud, lowtide: Lowtide
) -> None:
    ran = lowtide("prices", "refresh", "--region", "eu-wst-1")
    assert ran.code == 2
    assert "eu-west-1" in ran.err
    assert cloud.calls == []
