"""Service Quotas: the vCPU quotas of EC2, as an account sees them.

Why it exists: moto knows no quota of EC2 instances. What is shown here is what launches are held to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Service
from lowtide.local.aws.servicequotas.quotas import QUOTAS, Quota, allowed_vcpus

_EC2 = "ec2"


def _get(box: Box, call: Call) -> Mapping[str, Any]:
    return {"Quota": _shown(box, call, _wanted(call))}


def _get_default(box: Box, call: Call) -> Mapping[str, Any]:
    # AWS's own defaults of the accelerated classes are 0 (EC2 user guide, "Amazon EC2 service quotas").
    quota = _wanted(call)
    value = 5.0 if quota.instance_class == "Standard" else 0.0
    return {"Quota": {**_shown(box, call, quota), "Value": value}}


def _list(box: Box, call: Call) -> Mapping[str, Any]:
    if call.params["ServiceCode"] != _EC2:
        return _beneath(box, call)
    wanted = call.params.get("QuotaCode")
    return {"Quotas": [_shown(box, call, one) for one in QUOTAS if wanted in {None, one.code}]}


def _beneath(box: Box, call: Call) -> Mapping[str, Any]:
    if box.behind is None:
        raise _not_there()
    return box.behind.call(call)


def _wanted(call: Call) -> Quota:
    code = call.params["QuotaCode"]
    for one in QUOTAS:
        if call.params["ServiceCode"] == _EC2 and one.code == code:
            return one
    raise _not_there()


def _not_there() -> AwsError:
    return AwsError("NoSuchResourceException", "The request failed because the specified service quota does not exist.")  # fmt: skip


def _shown(box: Box, call: Call, quota: Quota) -> dict[str, Any]:
    kind = "Spot" if quota.spot else "OnDemand"
    return {
        "ServiceCode": _EC2,
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{call.region}:{box.settings.account}:{_EC2}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": allowed_vcpus(box, quota),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "UsageMetric": {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": {
                "Class": f"{quota.instance_class}/{kind}",
                "Resource": "vCPU",
                "Service": "EC2",
                "Type": "Resource",
            },
            "MetricStatisticRecommendation": "Maximum",
        },
    }


SERVICE = Service(
    name="service-quotas",
    operations={
        "GetServiceQuota": _get,
        "GetAWSDefaultServiceQuota": _get_default,
        "ListServiceQuotas": _list,
    },
)
