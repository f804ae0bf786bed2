"""Service Quotas: the quotas that an account sees, and requests for higher ones.

Why it exists: moto knows no quota of EC2 instances. What is shown here of vCPUs is what launches are held to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Service
from lowtide.local.aws.servicequotas import requests
from lowtide.local.aws.servicequotas.paging import page
from lowtide.local.aws.servicequotas.quotas import QUOTAS, SERVICES, Quota, allowed


def _get(box: Box, call: Call) -> Mapping[str, Any]:
    quota = requests.wanted(call)
    return {"Quota": _shown(box, call, quota, allowed(box, quota))}


def _get_default(box: Box, call: Call) -> Mapping[str, Any]:
    quota = requests.wanted(call)
    return {"Quota": _shown(box, call, quota, quota.default)}


def _list(box: Box, call: Call) -> Mapping[str, Any]:
    wanted = call.params.get("QuotaCode")
    found = [
        _shown(box, call, one, allowed(box, one))
        for one in _of_service(call)
        if wanted in {None, one.code}
    ]
    return page(found, call, "Quotas")


def _list_defaults(box: Box, call: Call) -> Mapping[str, Any]:
    found = [_shown(box, call, one, one.default) for one in _of_service(call)]
    return page(found, call, "Quotas")


def _services(_box: Box, call: Call) -> Mapping[str, Any]:
    found = [{"ServiceCode": code, "ServiceName": name} for code, name in SERVICES.items()]
    return page(found, call, "Services")


def _of_service(call: Call) -> Iterator[Quota]:
    code = call.params["ServiceCode"]
    if code not in SERVICES:
        raise AwsError(
            "NoSuchResourceException",
            "This service is not available in the current Region. Choose a different Region or a different service.",
        )
    return (one for one in QUOTAS.values() if one.service == code)


def _shown(box: Box, call: Call, quota: Quota, value: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        **requests.named(box, call, quota),
        "Value": value,
        "Adjustable": True,
        "GlobalQuota": False,
    }
    if quota.usage_class:
        shown["UsageMetric"] = {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": {
                "Class": quota.usage_class,
                "Resource": "vCPU",
                "Service": "EC2",
                "Type": "Resource",
            },
            "MetricStatisticRecommendation": "Maximum",
        }
    return shown


SERVICE = Service(
    name="service-quotas",
    operations={
        "GetServiceQuota": _get,
        "GetAWSDefaultServiceQuota": _get_default,
        "ListServiceQuotas": _list,
        "ListAWSDefaultServiceQuotas": _list_defaults,
        "ListServices": _services,
        "RequestServiceQuotaIncrease": requests.ask,
        "GetRequestedServiceQuotaChange": requests.get,
        "ListRequestedServiceQuotaChangeHistory": requests.history,
        "ListRequestedServiceQuotaChangeHistoryByQuota": requests.history_of_quota,
    },
    whole=True,
)
