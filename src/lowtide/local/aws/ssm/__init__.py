"""Systems Manager: the public parameters of node images; ordinary parameters are moto's.

Why it exists: a launch template takes its image from such a parameter, and moto has none of EKS, Bottlerocket or Ubuntu.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Service
from lowtide.local.aws.ssm.images import parameters

_PUBLIC = ("/aws/service/eks/", "/aws/service/bottlerocket/", "/aws/service/canonical/ubuntu/eks")
_PUBLISHED = dt.datetime(2026, 11, 12, tzinfo=dt.UTC)
_PAGE = 10


def _get(box: Box, call: Call) -> Mapping[str, Any]:
    name = call.params["Name"]
    if not _is_public(name):
        return _beneath(box, call)
    found = _parameter(call.region, name)
    if found is None:
        raise AwsError("ParameterNotFound", f"Parameter {name} not found.")
    return {"Parameter": found}


def _get_several(box: Box, call: Call) -> Mapping[str, Any]:
    names = call.params["Names"]
    public = [one for one in names if _is_public(one)]
    ordinary = [one for one in names if one not in public]
    found, missing = [], []
    for name in public:
        parameter = _parameter(call.region, name)
        if parameter is None:
            missing.append(name)
        else:
            found.append(parameter)
    if ordinary:
        answer = _beneath(box, call, {**call.params, "Names": ordinary})
        found += answer.get("Parameters", [])
        missing += answer.get("InvalidParameters", [])
    return {"Parameters": found, "InvalidParameters": missing}


def _get_by_path(box: Box, call: Call) -> Mapping[str, Any]:
    path = call.params["Path"].rstrip("/") + "/"
    given = str(call.params.get("NextToken") or "0")
    if not given.isdigit():
        raise AwsError("InvalidNextToken", "The specified token isn't valid.")
    if not _is_public(path):
        return _beneath(box, call)
    names = [
        one
        for one in sorted(parameters(call.region))
        if one.startswith(path) and (call.params.get("Recursive") or "/" not in one[len(path) :])
    ]
    start = int(given)
    end = start + min(int(call.params.get("MaxResults") or _PAGE), _PAGE)
    shown = [_parameter(call.region, one) for one in names[start:end]]
    token = {"NextToken": str(end)} if end < len(names) else {}
    return {"Parameters": shown, **token}


def _is_public(name: str) -> bool:
    return _plain(name).startswith(_PUBLIC)


def _plain(name: str) -> str:
    """Return the name of a parameter that may be given by its ARN."""
    return name.partition(":parameter")[2] if name.startswith("arn:") else name


def _parameter(region: str, name: str) -> dict[str, Any] | None:
    name = _plain(name)
    value = parameters(region).get(name)
    if value is None:
        return None
    return {
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": 1,
        "LastModifiedDate": _PUBLISHED,
        "ARN": f"arn:aws:ssm:{region}::parameter{name}",
        "DataType": "aws:ec2:image" if value.startswith("ami-") else "text",
    }


def _beneath(box: Box, call: Call, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    if box.behind is None:
        raise AwsError("InvalidAction", f"The embedded AWS does not serve ssm:{call.operation}.")
    return box.behind.call(
        dataclasses.replace(call, params=call.params if params is None else params)
    )


SERVICE = Service(
    name="ssm",
    operations={
        "GetParameter": _get,
        "GetParameters": _get_several,
        "GetParametersByPath": _get_by_path,
    },
)
