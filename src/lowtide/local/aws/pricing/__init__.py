"""The price list: on-demand prices of Linux instances, and of EKS clusters.

Why it exists: moto has no price list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.pricing.products import SERVICES, Product, attribute_names, products
from lowtide.local.aws.service import Call, Service
from lowtide.local.aws.tokens import start_of, token_of

_FORMAT = "aws_v1"
_PAGE = 100


def _products(_box: Box, call: Call) -> Mapping[str, Any]:
    code, rules = call.params["ServiceCode"], list(call.params.get("Filters", []))
    _check(code, call)
    found = [
        json.dumps(one.document())
        for one in products(code, _places(rules))
        if all(_passes(one, rule) for rule in rules)
    ]
    return {"FormatVersion": _FORMAT, **_page(found, call, "PriceList")}


def _services(_box: Box, call: Call) -> Mapping[str, Any]:
    code = call.params.get("ServiceCode")
    if code is not None:
        _check(code, call)
    found = [
        {"ServiceCode": one, "AttributeNames": attribute_names(one)}
        for one in SERVICES
        if code in {None, one}
    ]
    return {"FormatVersion": _FORMAT, **_page(found, call, "Services")}


def _attribute_values(_box: Box, call: Call) -> Mapping[str, Any]:
    code, name = call.params["ServiceCode"], call.params["AttributeName"]
    _check(code, call)
    if name not in attribute_names(code):
        raise AwsError("InvalidParameterException", f"AttributeName {name} is not valid for {code}")  # fmt: skip
    values = {one.attributes[name] for one in products(code, {}) if name in one.attributes}
    found = [{"Value": value} for value in sorted(values)]
    return _page(found, call, "AttributeValues")


def _check(code: str, call: Call) -> None:
    """Refuse what the price list cannot understand; a service that is not in it has no products."""
    if not code.isalnum():
        # As quoted in cloud-barista/cb-spider#1055.
        raise AwsError(
            "InvalidParameterException", "ServiceCode can only contain a-z, A-Z, 0-9"
        )  # fmt: skip
    if call.params.get("FormatVersion", _FORMAT) != _FORMAT:
        raise AwsError("InvalidParameterException", f"FormatVersion must be {_FORMAT}")


def _places(rules: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return where products are asked for, so that not every region's are made."""
    return {
        str(one["Field"]): str(one["Value"])
        for one in rules
        if one["Field"] in {"regionCode", "location"} and _kind(one) in {"TERM_MATCH", "EQUALS"}
    }


def _passes(one: Product, rule: Mapping[str, Any]) -> bool:
    """Return whether a product passes a filter (API reference, pricing, "Filter")."""
    value = one.terms().get(rule["Field"])
    kind, given = _kind(rule), str(rule["Value"])
    if kind == "ANY_OF":
        return value in given.split(",")
    if kind == "NONE_OF":
        return value not in given.split(",")
    if kind == "CONTAINS":
        return value is not None and given in value
    return value == given


def _kind(rule: Mapping[str, Any]) -> str:
    return str(rule.get("Type", "TERM_MATCH"))


def _page(found: Sequence[Any], call: Call, key: str) -> dict[str, Any]:
    start = start_of(call.params.get("NextToken"))
    if start is None:
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid.")
    end = start + min(int(call.params.get("MaxResults") or _PAGE), _PAGE)
    answer: dict[str, Any] = {key: list(found[start:end])}
    if end < len(found):
        answer["NextToken"] = token_of(end)
    return answer


SERVICE = Service(
    name="pricing",
    operations={
        "DescribeServices": _services,
        "GetAttributeValues": _attribute_values,
        "GetProducts": _products,
    },
    whole=True,
)
