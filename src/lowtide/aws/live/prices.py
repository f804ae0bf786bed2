"""What instances cost now: the price list for on-demand, the spot history for spot.

Why it exists: bundled prices grow old and are of one region. Nothing is kept here; ``app`` writes the answers down.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.aws.live.paging import pages

#: Where the price list can be asked, by partition (AWS General Reference, "AWS Price List endpoints").
_PRICING_REGION = "us-east-1"
_PRICING_REGION_CHINA = "cn-northwest-1"
_PAGE = 100
#: Shared Linux instances without bought software, as they are billed while they run (Price List user guide, "GetProducts").
_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}
_SPOT_PRODUCT = "Linux/UNIX"
#: DescribeSpotPriceHistory takes as many types as a filter takes values (EC2 API reference, "Filters": 200).
_TYPES_A_CALL = 100


def on_demand_prices(region: str, *, profile: str | None = None) -> dict[str, float]:
    """Return the on-demand price of every type that a region sells, in USD per hour.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    asked = _PRICING_REGION_CHINA if region.startswith("cn-") else _PRICING_REGION
    pricing = Account(asked, profile).client("pricing")
    wanted = {"regionCode": region, **_LINUX}
    filters = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()
    ]
    found: dict[str, float] = {}
    for page in pages(
        pricing.get_products, ServiceCode="AmazonEC2", Filters=filters, MaxResults=_PAGE
    ):
        for text in page["PriceList"]:
            product = json.loads(text)
            usd = _hourly_usd(product)
            if usd:
                found[product["product"]["attributes"]["instanceType"]] = usd
    return found


def spot_prices(
    account: Account, types: Sequence[str], *, now: dt.datetime | None = None
) -> dict[str, dict[str, float]]:
    """Return the spot price in force of each type by zone, in USD per hour; a type that is not sold on spot is left out.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    now = now or dt.datetime.now(tz=dt.UTC)
    newest: dict[tuple[str, str], tuple[dt.datetime, float]] = {}
    ec2 = account.client("ec2")
    for start in range(0, len(types), _TYPES_A_CALL):
        for page in pages(
            ec2.describe_spot_price_history,
            InstanceTypes=list(types[start : start + _TYPES_A_CALL]),
            ProductDescriptions=[_SPOT_PRODUCT],
            StartTime=now,
            EndTime=now,
        ):
            for row in page["SpotPriceHistory"]:
                place = (row["InstanceType"], row["AvailabilityZone"])
                told = (row["Timestamp"], float(row["SpotPrice"]))
                newest[place] = max(newest.get(place, told), told)
    found: dict[str, dict[str, float]] = {}
    for (name, zone), (_, usd) in sorted(newest.items()):
        found.setdefault(name, {})[zone] = usd
    return found


def _hourly_usd(product: Mapping[str, Any]) -> float:
    """Return the hourly rate of a product, 0 where it has none: a reserved one is listed without a price."""
    for term in product["terms"].get("OnDemand", {}).values():
        for rate in term["priceDimensions"].values():
            if rate["unit"] == "Hrs":
                return float(rate["pricePerUnit"].get("USD") or rate["pricePerUnit"].get("CNY", 0))
    return 0.0
