"""Spot prices over time, and placement scores, which moto answers with nothing or not at all.

Why it exists: price-aware choices need prices that differ by zone and move. The level is the bundled spot price; how it
moves is made up, from hashes of type, zone and day alone, so that every box tells the same story.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from lowtide import catalog
from lowtide.local.aws import faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import asked, beneath, invalid_token, is_match, page_size
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.local.aws.tokens import place_of, token_of
from lowtide.model.errors import InputError

#: Type, zone, the level of its spot price, and the on-demand price, which it never exceeds.
_Pool = tuple[str, str, float, float]
_DAY = dt.timedelta(days=1)
#: EC2 keeps the prices of 90 days (API reference, DescribeSpotPriceHistory).
_KEPT = 90 * _DAY
_EPOCH = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_PRODUCT = "Linux/UNIX"
_PAGE = 1000
_ENOUGH_TYPES, _LOW = 3, 3
#: Where no spot figure is bundled; EC2's documents speak of savings of up to 90 %.
_USUAL_SHARE = 0.4


def price_usd_per_hour(region: str, instance_type: str, zone: str, at: dt.datetime) -> float | None:
    """Return the spot price of a type in a zone at a time, None where not even its on-demand price is known."""
    try:
        offer = catalog.offering(instance_type, region)
    except InputError:
        return None
    level = offer.spot_usd_per_hour
    if level is None:
        level = offer.on_demand_usd_per_hour * _USUAL_SHARE
    day = (at - _EPOCH) // _DAY
    if at < _changed(instance_type, zone, day):
        day -= 1
    return _on_day(level, offer.on_demand_usd_per_hour, instance_type, zone, day)


def history(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeSpotPriceHistory: newest first, and the price in force at the start.

    A page goes on at a day and a row of it, so that the last one is as quick as the first.
    """
    params = call.params
    size = page_size(params, _PAGE)
    now = box.now()
    until = min(_utc(params.get("EndTime")) or now, now)
    since = max(_utc(params.get("StartTime")) or now - _KEPT, now - _KEPT)
    pools = list(_pools(box, call))
    last = (since - _EPOCH) // _DAY - 1
    day, skipped = _started(params.get("NextToken"), (until - _EPOCH) // _DAY)
    rows: list[dict[str, Any]] = []
    while pools and day >= last and since <= until:
        rows += _on(day, pools, since, until)[skipped:]
        if len(rows) > size:
            left = len(rows) - size
            shown = len(_on(day, pools, since, until)) - left
            return {"SpotPriceHistory": rows[:size], "NextToken": token_of(day, shown)}
        day, skipped = day - 1, 0
    return {"SpotPriceHistory": rows, "NextToken": ""}


def scores(box: Box, call: Call) -> Mapping[str, Any]:
    """GetSpotPlacementScores: 1 to 10 for each region or zone; more capacity and fewer types score lower.

    One or two types get a low score whatever there is (EC2 user guide, "Spot placement score", limitations).
    """
    params = call.params
    types = params.get("InstanceTypes") or _required(call)
    capacity = int(params["TargetCapacity"])
    if capacity < 1:
        raise AwsError("InvalidParameterValue", "TargetCapacity must be at least 1.")
    highest = 10 if len(set(types)) >= _ENOUGH_TYPES else _LOW
    found: list[dict[str, Any]] = []
    for region in params.get("RegionNames") or [call.region]:
        for zone in _zones(box, call, region):
            best = max((_score(box, name, zone["ZoneName"], capacity) for name in types), default=1)
            score = max(1, min(highest, best))
            found.append({"Region": region, "AvailabilityZoneId": zone["ZoneId"], "Score": score})
    if not params.get("SingleAvailabilityZone"):
        best_of: dict[str, int] = {}
        for row in found:
            best_of[row["Region"]] = max(best_of.get(row["Region"], 1), int(row["Score"]))
        found = [{"Region": region, "Score": score} for region, score in best_of.items()]
    found.sort(key=lambda one: -int(one["Score"]))
    return {"SpotPlacementScores": found[:10]}


def _started(token: str | None, first: int) -> tuple[int, int]:
    """Return the day at which a page starts, and how many rows of that day were told before."""
    if not token:
        return first, 0
    place = place_of(token, 2)
    if place is None or place[0] > first:
        raise invalid_token()
    day, skipped = place
    return day, skipped


def _on(
    day: int, pools: list[_Pool], since: dt.datetime, until: dt.datetime
) -> list[dict[str, Any]]:
    """Return the changes of one day, newest first. Of those before the start, each pool's latest is told."""
    found: list[dict[str, Any]] = []
    for kind, zone, level, ceiling in pools:
        at = _changed(kind, zone, day)
        if at > until or (at <= since and _changed(kind, zone, day + 1) <= since):
            continue
        found.append(
            {
                "AvailabilityZone": zone,
                "InstanceType": kind,
                "ProductDescription": _PRODUCT,
                "SpotPrice": f"{_on_day(level, ceiling, kind, zone, day):.6f}",
                "Timestamp": at,
            }
        )
    found.sort(key=lambda row: row["Timestamp"], reverse=True)
    return found


def _pools(box: Box, call: Call) -> Iterator[_Pool]:
    params = call.params
    filters = list(params.get("Filters", []))
    products = params.get("ProductDescriptions") or asked(filters, "product-description")
    if products and not any(one in {_PRODUCT, f"{_PRODUCT} (Amazon VPC)"} for one in products):
        return
    types = params.get("InstanceTypes") or None
    zone = params.get("AvailabilityZone")
    zones = [str(one["ZoneName"]) for one in _zones(box, call, call.region)]
    for offer in catalog.offerings(call.region):
        name = offer.instance_type.name
        if types is not None and name not in types:
            continue
        if not is_match(name, asked(filters, "instance-type")):
            continue
        level = offer.spot_usd_per_hour
        if level is None:
            level = offer.on_demand_usd_per_hour * _USUAL_SHARE
        for one in zones:
            if zone in {None, one} and is_match(one, asked(filters, "availability-zone")):
                yield name, one, level, offer.on_demand_usd_per_hour


def _on_day(level: float, ceiling: float, kind: str, zone: str, day: int) -> float:
    """Return a price: the zone's own level, a slow wave over weeks, and a little noise, never above on-demand."""
    own = 0.9 + 0.3 * _unit("zone", kind, zone)
    week, part = divmod(day, 7)
    ends = [0.92 + 0.2 * _unit("week", kind, zone, week + step) for step in (0, 1)]
    wave = ends[0] + (ends[1] - ends[0]) * part / 7
    noise = 0.98 + 0.04 * _unit("day", kind, zone, day)
    return round(min(ceiling, level * own * wave * noise), 4)


def _changed(kind: str, zone: str, day: int) -> dt.datetime:
    """Return when a pool's price changes on a day."""
    seconds = int(86_400 * _unit("moment", kind, zone, day))
    return _EPOCH + day * _DAY + dt.timedelta(seconds=seconds)


def _required(call: Call) -> list[str]:
    """Return the priced types that pass the sizes in the requirements; further requirements do not narrow the score."""
    asked_for = call.params.get("InstanceRequirementsWithMetadata", {})
    needs = asked_for.get("InstanceRequirements")
    if needs is None:
        raise AwsError(
            "MissingParameter",
            "The request must contain the parameter InstanceTypes or InstanceRequirementsWithMetadata",
        )
    return [
        one.instance_type.name
        for one in catalog.offerings(call.region)
        if _is_within(one.instance_type.vcpu, needs.get("VCpuCount", {}))
        and _is_within(one.instance_type.memory_mib, needs.get("MemoryMiB", {}))
    ]


def _is_within(value: int, limits: Mapping[str, int]) -> bool:
    return limits.get("Min", 0) <= value <= limits.get("Max", value)


def _score(box: Box, kind: str, zone: str, capacity: int) -> int:
    if faults.SERVICE.name in box.states and any(
        one.kind == "capacity" and one.instance_type in {kind, "*"} and one.zone in {"", zone}
        for one in faults.listed(box)
    ):
        return 1
    lost = capacity.bit_length() // 2
    return max(1, 4 + int(6 * _unit("score", kind, zone)) - lost)


def _zones(box: Box, call: Call, region: str) -> list[dict[str, Any]]:
    there = dataclasses.replace(call, region=region)
    answer = beneath(box, there, operation="DescribeAvailabilityZones", params={})
    return list(answer["AvailabilityZones"])


def _unit(*words: object) -> float:
    digest = hashlib.sha256(" ".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _utc(value: Any) -> dt.datetime | None:
    if value is None:
        return None
    at: dt.datetime = value
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
