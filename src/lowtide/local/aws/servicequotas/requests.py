"""Requests for higher quotas: taken, listed, and never decided, because nobody works for AWS here.

Why it exists: a check tells its user to make such a request; whether it was made is what can be shown. A quota's value
changes by a fault of the box alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.local.aws.servicequotas.paging import page
from lowtide.local.aws.servicequotas.quotas import QUOTAS, SERVICES, Quota, allowed

_OPEN = "PENDING"


def wanted(call: Call) -> Quota:
    """Return the quota that a call names.

    Raises:
        AwsError: there is none.
    """
    found = QUOTAS.get(call.params["QuotaCode"])
    if found is None or found.service != call.params["ServiceCode"]:
        raise AwsError(
            "NoSuchResourceException",
            "The request failed because the specified service quota does not exist.",
        )
    return found


def named(box: Box, call: Call, quota: Quota) -> dict[str, Any]:
    """Return how a quota is named in answers."""
    arn = f"arn:aws:servicequotas:{call.region}:{box.settings.account}:{quota.service}/{quota.code}"
    return {
        "ServiceCode": quota.service,
        "ServiceName": SERVICES[quota.service],
        "QuotaArn": arn,
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Unit": "None",
    }


def ask(box: Box, call: Call) -> Mapping[str, Any]:
    """RequestServiceQuotaIncrease. The state is a list of requests, oldest first, each with its region."""
    quota, desired = wanted(call), float(call.params["DesiredValue"])
    if desired <= allowed(box, quota):
        raise AwsError(
            "IllegalArgumentException",
            "Provide a value that is greater than the current quota value.",
        )
    if any(one["Status"] == _OPEN for one in _made(box, call, quota.code)):
        raise AwsError(
            "ResourceAlreadyExistsException",
            "Only one open service quota increase request is allowed per quota.",
        )
    request = {
        **named(box, call, quota),
        "Id": secrets.token_hex(20),
        "DesiredValue": desired,
        "Status": _OPEN,
        "Created": box.now(),
        "LastUpdated": box.now(),
        "Requester": f'{{"accountId":"{call.caller.account}","callerArn":"{call.caller.arn}"}}',
        "GlobalQuota": False,
        "QuotaRequestedAtLevel": "ACCOUNT",
    }
    _state(box).setdefault(call.region, []).append(request)
    return {"RequestedQuota": dict(request)}


def get(box: Box, call: Call) -> Mapping[str, Any]:
    """GetRequestedServiceQuotaChange."""
    for one in _made(box, call):
        if one["Id"] == call.params["RequestId"]:
            return {"RequestedQuota": one}
    raise AwsError(
        "NoSuchResourceException",
        "The request failed because the specified quota request does not exist.",
    )


def history(box: Box, call: Call) -> Mapping[str, Any]:
    """ListRequestedServiceQuotaChangeHistory."""
    service, status = call.params.get("ServiceCode"), call.params.get("Status")
    found = [
        one
        for one in _made(box, call)
        if service in {None, one["ServiceCode"]} and status in {None, one["Status"]}
    ]
    return page(found, call, "RequestedQuotas")


def history_of_quota(box: Box, call: Call) -> Mapping[str, Any]:
    """ListRequestedServiceQuotaChangeHistoryByQuota."""
    status = call.params.get("Status")
    found = [one for one in _made(box, call, wanted(call).code) if status in {None, one["Status"]}]
    return page(found, call, "RequestedQuotas")


def _made(box: Box, call: Call, code: str = "") -> list[dict[str, Any]]:
    return [
        dict(one)
        for one in _state(box).get(call.region, [])
        if not code or one["QuotaCode"] == code
    ]


def _state(box: Box) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = box.state("service-quotas")
    return found
