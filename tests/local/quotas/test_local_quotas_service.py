"""Service Quotas shows what launches are held to, and takes requests that nobody decides."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws import faults
from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import Aws

SPOT_G = "L-3819A6DF"
CLUSTERS = "L-1194D53C"


def _quotas(aws: Aws, operation: str, **params: Any) -> dict[str, Any]:
    return aws(operation, service="service-quotas", **params)


def _value(aws: Aws, code: str, service: str = "ec2") -> float:
    answer = _quotas(aws, "GetServiceQuota", ServiceCode=service, QuotaCode=code)
    found: float = answer["Quota"]["Value"]
    return found


def test_a_quota_is_what_a_launch_is_held_to(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "quota", "code": "L-DB2E81BA", "value": 8})
    assert _value(aws, "L-DB2E81BA") == 8
    aws.run(2)
    with pytest.raises(AwsError, match="vCPU limit of 8"):
        aws.run()


def test_the_defaults_of_accelerated_types_are_none_at_all(aws: Aws) -> None:
    found = _quotas(aws, "ListAWSDefaultServiceQuotas", ServiceCode="ec2")["Quotas"]
    values = {one["QuotaName"]: one["Value"] for one in found}
    assert values["Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"] == 5
    assert values["All G and VT Spot Instance Requests"] == 0
    one = _quotas(aws, "GetAWSDefaultServiceQuota", ServiceCode="ec2", QuotaCode=SPOT_G)
    assert one["Quota"]["Value"] == 0 < _value(aws, SPOT_G)


def test_a_quota_names_the_metric_of_its_use(aws: Aws) -> None:
    one = _quotas(aws, "GetServiceQuota", ServiceCode="ec2", QuotaCode=SPOT_G)["Quota"]
    assert one["QuotaName"] == "All G and VT Spot Instance Requests"
    assert one["UsageMetric"]["MetricDimensions"]["Class"] == "G/Spot"
    assert one["QuotaArn"].endswith(f":ec2/{SPOT_G}")


def test_quotas_are_listed_by_service_in_pages(aws: Aws) -> None:
    whole = _quotas(aws, "ListServiceQuotas", ServiceCode="ec2")["Quotas"]
    codes: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = _quotas(aws, "ListServiceQuotas", ServiceCode="ec2", MaxResults=5, **token)
        codes += [one["QuotaCode"] for one in answer["Quotas"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert codes == [one["QuotaCode"] for one in whole]
    assert len(codes) == len(set(codes)) > 10
    names = {one["ServiceCode"] for one in _quotas(aws, "ListServices")["Services"]}
    assert {"ec2", "eks", "vpc", "autoscaling"} == names
    assert _value(aws, CLUSTERS, "eks") == 100


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("GetServiceQuota", {"ServiceCode": "ec2", "QuotaCode": "L-00000000"}, "NoSuchResourceException"),
        ("GetServiceQuota", {"ServiceCode": "eks", "QuotaCode": SPOT_G}, "NoSuchResourceException"),
        ("ListServiceQuotas", {"ServiceCode": "nothing"}, "NoSuchResourceException"),
        ("ListServiceQuotas", {"ServiceCode": "ec2", "NextToken": "x"}, "InvalidPaginationTokenException"),
        ("ListServices", {"NextToken": "\N{SUPERSCRIPT TWO}"}, "InvalidPaginationTokenException"),
        ("GetRequestedServiceQuotaChange", {"RequestId": "x"}, "NoSuchResourceException"),
        ("RequestServiceQuotaIncrease", {"ServiceCode": "ec2", "QuotaCode": SPOT_G, "DesiredValue": 1.0}, "IllegalArgumentException"),
    ],
)  # fmt: skip
def test_what_service_quotas_does_not_know_is_refused(
    aws: Aws, operation: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(AwsError) as refused:
        _quotas(aws, operation, **params)
    assert refused.value.code == code


def test_a_request_is_kept_open_and_a_second_one_for_the_same_quota_is_refused(aws: Aws) -> None:
    wanted = {"ServiceCode": "ec2", "QuotaCode": SPOT_G, "DesiredValue": 4096.0}
    made = _quotas(aws, "RequestServiceQuotaIncrease", **wanted)["RequestedQuota"]
    assert (made["Status"], made["DesiredValue"]) == ("PENDING", 4096.0)
    found = _quotas(aws, "GetRequestedServiceQuotaChange", RequestId=made["Id"])
    assert found["RequestedQuota"] == made
    for operation, params in (
        ("ListRequestedServiceQuotaChangeHistory", {"ServiceCode": "ec2"}),
        ("ListRequestedServiceQuotaChangeHistory", {"Status": "PENDING"}),
        ("ListRequestedServiceQuotaChangeHistoryByQuota", {"ServiceCode": "ec2", "QuotaCode": SPOT_G}),
    ):  # fmt: skip
        assert _quotas(aws, operation, **params)["RequestedQuotas"] == [made]
    other = _quotas(aws, "ListRequestedServiceQuotaChangeHistory", region="eu-west-1")
    assert other["RequestedQuotas"] == []
    with pytest.raises(AwsError) as refused:
        _quotas(aws, "RequestServiceQuotaIncrease", **wanted)
    assert refused.value.code == "ResourceAlreadyExistsException"
    assert _value(aws, SPOT_G) < 4096
