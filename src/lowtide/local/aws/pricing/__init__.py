"""The price list: on-demand prices of Linux instances, from the catalog.

Why it exists: moto has no price list. A product is written as AWS writes it, a JSON text with terms; numbers that the
catalog does not know are not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from lowtide import catalog
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Service
from lowtide.model.catalog import Offering

_CODE = "AmazonEC2"
_PAGE = 100
#: The price list's own code of an on-demand term and of its hourly rate.
_TERM, _RATE = "JRTCKXETXF", "6YS6EN2CT7"
_EFFECTIVE = "2026-07-20T00:00:00Z"


def _products(_box: Box, call: Call) -> Mapping[str, Any]:
    if call.params["ServiceCode"] != _CODE:
        return {"FormatVersion": "aws_v1", "PriceList": []}
    wanted = {one["Field"]: one for one in call.params.get("Filters", [])}
    found = [
        one
        for one in _regional(call, wanted)
        if all(_is_match(one["product"]["attributes"], rule) for rule in wanted.values())
    ]
    token = str(call.params.get("NextToken") or "0")
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid.")
    start = int(token)
    end = start + min(int(call.params.get("MaxResults") or _PAGE), _PAGE)
    answer: dict[str, Any] = {
        "FormatVersion": "aws_v1",
        "PriceList": [json.dumps(one) for one in found[start:end]],
    }
    if end < len(found):
        answer["NextToken"] = str(end)
    return answer


def _services(_box: Box, _call: Call) -> Mapping[str, Any]:
    names = sorted(_attributes_of(next(iter(catalog.offerings(catalog.PRICED_REGION)))))
    return {
        "FormatVersion": "aws_v1",
        "Services": [{"ServiceCode": _CODE, "AttributeNames": names}],
    }


def _regional(call: Call, wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    region = str(wanted["regionCode"]["Value"]) if "regionCode" in wanted else call.region
    for one in catalog.offerings(region):
        yield _product(one)


def _is_match(attributes: Mapping[str, str], rule: Mapping[str, Any]) -> bool:
    value = attributes.get(rule["Field"])
    kind = rule.get("Type", "TERM_MATCH")
    given = str(rule["Value"])
    if kind == "ANY_OF":
        return value in given.split(",")
    if kind == "NONE_OF":
        return value not in given.split(",")
    if kind == "CONTAINS":
        return value is not None and given in value
    return value == given


def _attributes_of(one: Offering) -> dict[str, str]:
    kind = one.instance_type
    found = {
        "servicecode": _CODE,
        "servicename": "Amazon Elastic Compute Cloud",
        "locationType": "AWS Region",
        "regionCode": one.region,
        "instanceType": kind.name,
        "instancesku": _sku(one),
        "vcpu": str(kind.vcpu),
        "memory": f"{kind.memory_mib / 1024:g} GiB",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "operation": "RunInstances",
        "marketoption": "OnDemand",
        "usagetype": f"BoxUsage:{kind.name}",
    }
    if kind.gpu is not None:
        found["gpu"] = str(kind.gpu.count)
    if kind.network:
        found["networkPerformance"] = kind.network
    return found


def _product(one: Offering) -> dict[str, Any]:
    sku = _sku(one)
    rate = {
        "rateCode": f"{sku}.{_TERM}.{_RATE}",
        "unit": "Hrs",
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${one.on_demand_usd_per_hour:g} per On Demand Linux {one.instance_type.name} Instance Hour",
        "appliesTo": [],
        "pricePerUnit": {"USD": f"{one.on_demand_usd_per_hour:.10f}"},
    }
    term = {
        "sku": sku,
        "offerTermCode": _TERM,
        "effectiveDate": _EFFECTIVE,
        "termAttributes": {},
        "priceDimensions": {rate["rateCode"]: rate},
    }
    return {
        "product": {
            "productFamily": "Compute Instance",
            "sku": sku,
            "attributes": _attributes_of(one),
        },
        "serviceCode": _CODE,
        "terms": {"OnDemand": {f"{sku}.{_TERM}": term}},
        "version": _EFFECTIVE.replace("-", "").replace(":", ""),
        "publicationDate": _EFFECTIVE,
    }


def _sku(one: Offering) -> str:
    digest = hashlib.sha256(f"{one.region} {one.instance_type.name}".encode()).digest()
    return "".join("ABCDEFGHJKMNPQRSTUVWXYZ23456789"[byte % 31] for byte in digest[:16])


SERVICE = Service(
    name="pricing",
    operations={"GetProducts": _products, "DescribeServices": _services},
    whole=True,
)
