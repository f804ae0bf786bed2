"""Spot prices differ by zone and move; placement scores depend on what is asked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from lowtide import catalog
from lowtide.local.aws import faults
from lowtide.local.aws.ec2.spot import price_usd_per_hour
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.tokens import token_of
from tests.local.ec2.ec2_box import REGION, Aws, open_aws

DAY = dt.timedelta(days=1)
KIND = "g4dn.xlarge"


def _history(aws: Aws, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = aws("DescribeSpotPriceHistory", **params, **token)
        rows += answer["SpotPriceHistory"]
        if not answer["NextToken"]:
            return rows
        token = {"NextToken": answer["NextToken"]}


def test_prices_differ_between_zones_move_over_days_and_stay_below_on_demand(aws: Aws) -> None:
    rows = _history(aws, InstanceTypes=[KIND], StartTime=aws.box.now() - 14 * DAY)
    ceiling = catalog.offering(KIND, REGION).on_demand_usd_per_hour
    prices = {float(one["SpotPrice"]) for one in rows}
    assert len(prices) > 20
    assert 0 < min(prices) < max(prices) <= ceiling
    by_zone = {one["AvailabilityZone"]: one["SpotPrice"] for one in rows}
    assert len(set(by_zone.values())) > 1


def test_the_history_is_newest_first_within_its_bounds_and_starts_with_the_price_in_force(
    aws: Aws,
) -> None:
    until = aws.box.now() - 3 * DAY
    since = until - 2 * DAY
    rows = _history(aws, InstanceTypes=[KIND], AvailabilityZone="us-east-1a", StartTime=since, EndTime=until)  # fmt: skip
    times = [one["Timestamp"] for one in rows]
    assert times == sorted(times, reverse=True)
    assert times[0] <= until
    assert times[-1] <= since < times[-2]


def test_asking_from_now_gives_one_price_for_each_zone(aws: Aws) -> None:
    now = aws.box.now()
    rows = _history(aws, InstanceTypes=[KIND], StartTime=now)
    zones = [one["AvailabilityZone"] for one in rows]
    assert len(zones) == len(set(zones)) == 6
    for one in rows:
        told = price_usd_per_hour(REGION, KIND, one["AvailabilityZone"], now)
        assert float(one["SpotPrice"]) == told


def test_pages_of_the_history_join_without_a_gap(aws: Aws) -> None:
    end = aws.box.now()
    bounds: dict[str, Any] = {
        "InstanceTypes": [KIND, "g5.xlarge"],
        "StartTime": end - 5 * DAY,
        "EndTime": end,
    }
    whole = _history(aws, **bounds)
    assert len(whole) > 60
    assert _history(aws, MaxResults=7, **bounds) == whole
    assert len(aws("DescribeSpotPriceHistory", MaxResults=7, **bounds)["SpotPriceHistory"]) == 7


@pytest.mark.parametrize(
    "token",
    ["x", "1", "99999999.0", "-3.4", "\N{SUPERSCRIPT TWO}", token_of(1), token_of(99_999_999, 0)],
)
def test_a_token_of_nobodys_is_refused(aws: Aws, token: str) -> None:
    with pytest.raises(AwsError) as refused:
        aws("DescribeSpotPriceHistory", NextToken=token)
    assert refused.value.code == "InvalidNextToken"


def test_windows_has_no_prices_here(aws: Aws) -> None:
    assert _history(aws, ProductDescriptions=["Windows"], InstanceTypes=[KIND]) == []
    assert _history(aws, ProductDescriptions=["Linux/UNIX"], InstanceTypes=[KIND])


def test_two_boxes_tell_the_same_prices(aws: Aws, tmp_path: Path) -> None:
    end = aws.box.now()
    bounds: dict[str, Any] = {"InstanceTypes": [KIND], "StartTime": end - DAY, "EndTime": end}
    first = _history(aws, **bounds)
    assert _history(open_aws(tmp_path / "other"), **bounds) == first


def _scores(aws: Aws, *types: str, capacity: int = 4, **params: Any) -> dict[str, int]:
    answer = aws(
        "GetSpotPlacementScores",
        InstanceTypes=list(types),
        TargetCapacity=capacity,
        SingleAvailabilityZone=True,
        **params,
    )
    return {one["AvailabilityZoneId"]: one["Score"] for one in answer["SpotPlacementScores"]}


THREE = (KIND, "g5.xlarge", "g6.xlarge")


def test_scores_differ_by_zone_and_fall_with_the_capacity_that_is_asked_for(aws: Aws) -> None:
    few, many = _scores(aws, *THREE), _scores(aws, *THREE, capacity=2000)
    assert len(set(few.values())) > 1
    assert all(1 <= one <= 10 for one in (*few.values(), *many.values()))
    assert all(many[zone] <= few[zone] for zone in few)
    assert sum(many.values()) < sum(few.values())


def test_fewer_than_three_types_score_low(aws: Aws) -> None:
    assert max(_scores(aws, KIND, "g5.xlarge").values()) <= 3 < max(_scores(aws, *THREE).values())


def test_a_zone_without_capacity_scores_one(aws: Aws) -> None:
    before = _scores(aws, *THREE)
    zone = aws("DescribeAvailabilityZones", ZoneNames=["us-east-1a"])["AvailabilityZones"][0]
    for name in THREE:
        faults.add(aws.box, {"kind": "capacity", "instance_type": name, "zone": "us-east-1a"})
    after = _scores(aws, *THREE)
    assert before[zone["ZoneId"]] > after[zone["ZoneId"]] == 1


def test_regions_are_scored_by_their_best_zone(aws: Aws) -> None:
    answer = aws(
        "GetSpotPlacementScores",
        InstanceTypes=list(THREE),
        TargetCapacity=4,
        RegionNames=[REGION, "us-west-2"],
    )["SpotPlacementScores"]
    assert {one["Region"] for one in answer} == {REGION, "us-west-2"}
    here = next(one["Score"] for one in answer if one["Region"] == REGION)
    assert here == max(_scores(aws, *THREE).values())
    assert all("AvailabilityZoneId" not in one for one in answer)


def test_attributes_stand_for_the_types_that_have_them(aws: Aws) -> None:
    needs = {"VCpuCount": {"Min": 4, "Max": 4}, "MemoryMiB": {"Min": 16384}}
    answer = aws(
        "GetSpotPlacementScores",
        InstanceRequirementsWithMetadata={"InstanceRequirements": needs},
        TargetCapacity=4,
    )
    assert answer["SpotPlacementScores"][0]["Score"] > 3
    with pytest.raises(AwsError) as refused:
        aws("GetSpotPlacementScores", TargetCapacity=4)
    assert refused.value.code == "MissingParameter"
