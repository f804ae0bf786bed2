"""The price list holds the catalog's prices in the form in which AWS writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide import catalog
from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import REGION, Aws


def _pricing(aws: Aws, operation: str, **params: Any) -> dict[str, Any]:
    return aws(operation, service="pricing", **params)


def _products(aws: Aws, *rules: tuple[str, str, str], code: str = "AmazonEC2") -> list[Any]:
    filters = [{"Field": field, "Type": kind, "Value": value} for field, kind, value in rules]
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        answer = _pricing(aws, "GetProducts", ServiceCode=code, Filters=filters, **token)
        assert answer["FormatVersion"] == "aws_v1"
        found += [json.loads(one) for one in answer["PriceList"]]
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


def _is(**wanted: str) -> list[tuple[str, str, str]]:
    return [(field, "TERM_MATCH", value) for field, value in wanted.items()]


def _usd(product: Any) -> float:
    (term,) = product["terms"]["OnDemand"].values()
    (rate,) = term["priceDimensions"].values()
    return float(rate["pricePerUnit"]["USD"])


def test_one_type_in_one_region_has_the_price_of_the_catalog(aws: Aws) -> None:
    (one,) = _products(aws, *_is(instanceType="g4dn.xlarge", regionCode=REGION, operatingSystem="Linux", tenancy="Shared", preInstalledSw="NA", capacitystatus="Used"))  # fmt: skip
    assert _usd(one) == catalog.offering("g4dn.xlarge", REGION).on_demand_usd_per_hour
    attributes = one["product"]["attributes"]
    assert attributes["vcpu"] == "4"
    assert attributes["memory"] == "16 GiB"
    assert attributes["gpu"] == "1"
    assert attributes["location"] == "US East (N. Virginia)"
    (term,) = one["terms"]["OnDemand"]
    assert term.startswith(f"{one['product']['sku']}.")


def test_every_priced_type_of_a_region_comes_once_over_pages(aws: Aws) -> None:
    found = _products(aws, *_is(regionCode=REGION))
    prices = {one["product"]["attributes"]["instanceType"]: _usd(one) for one in found}
    assert prices == {
        one.instance_type.name: one.on_demand_usd_per_hour for one in catalog.offerings(REGION)
    }
    assert len({one["product"]["sku"] for one in found}) == len(found) > 100


def test_regions_are_found_by_the_name_that_the_price_list_gives_them(aws: Aws) -> None:
    (one,) = _products(aws, *_is(instanceType="g4dn.xlarge", location="EU (Ireland)"))
    assert one["product"]["attributes"]["regionCode"] == "eu-west-1"
    assert "usagetype" not in one["product"]["attributes"]
    (other,) = _products(aws, *_is(instanceType="m5.large", location="Europe (Zurich)"))
    assert other["product"]["attributes"]["regionCode"] == "eu-central-2"


def test_filters_of_every_kind_are_and_ed_even_on_one_field(aws: Aws) -> None:
    here = _is(regionCode=REGION)
    several = _products(aws, *here, ("instanceType", "ANY_OF", "g5.xlarge,g6.xlarge"))
    assert len(several) == 2
    names = {
        one["product"]["attributes"]["instanceType"]
        for one in _products(
            aws,
            *here,
            ("instanceType", "CONTAINS", "g4dn."),
            ("instanceType", "NONE_OF", "g4dn.xlarge,g4dn.metal"),
        )
    }
    assert "g4dn.2xlarge" in names
    assert not names & {"g4dn.xlarge", "g4dn.metal", "g5.xlarge"}
    assert _products(aws, *here, *_is(operatingSystem="Windows")) == []
    assert _products(aws, *here, *_is(noSuchField="x")) == []


def test_a_cluster_has_its_price_per_hour(aws: Aws) -> None:
    (one,) = _products(aws, *_is(regionCode="eu-west-1"), code="AmazonEKS")
    assert _usd(one) == 0.1
    assert one["product"]["attributes"]["servicecode"] == "AmazonEKS"


def test_services_and_values_of_their_attributes_are_listed(aws: Aws) -> None:
    found = _pricing(aws, "DescribeServices")["Services"]
    assert [one["ServiceCode"] for one in found] == ["AmazonEC2", "AmazonEKS"]
    assert {"instanceType", "location", "regionCode", "gpu"} <= set(found[0]["AttributeNames"])
    values = _pricing(aws, "GetAttributeValues", ServiceCode="AmazonEC2", AttributeName="gpu")
    assert {"1", "4", "8"} <= {one["Value"] for one in values["AttributeValues"]}


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("GetProducts", {"ServiceCode": "Compute Instance"}, "InvalidParameterException"),
        ("GetProducts", {"ServiceCode": "AmazonEC2", "FormatVersion": "v9"}, "InvalidParameterException"),
        ("GetProducts", {"ServiceCode": "AmazonEC2", "NextToken": "x"}, "InvalidNextTokenException"),
        ("DescribeServices", {"NextToken": "\N{SUPERSCRIPT TWO}"}, "InvalidNextTokenException"),
        ("GetAttributeValues", {"ServiceCode": "AmazonEC2", "AttributeName": "x"}, "InvalidParameterException"),
        ("ListPriceLists", {"ServiceCode": "AmazonEC2"}, "InvalidAction"),
    ],
)  # fmt: skip
def test_what_the_price_list_cannot_answer_is_refused(
    aws: Aws, operation: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(AwsError) as refused:
        _pricing(aws, operation, **params)
    assert refused.value.code == code


def test_a_service_that_is_not_in_the_list_has_no_products(aws: Aws) -> None:
    assert _products(aws, code="AmazonS3") == []
