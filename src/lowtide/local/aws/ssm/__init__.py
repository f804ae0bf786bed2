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
from lowtide.local.aws.tokens import start_of, token_of

_PUBLIC = ("/aws/service/eks/", "/aws/service/bottlerocket/", "/aws/service/canonical/ubuntu/eks")
_PUBLISHED = dt.datetime(2026, 11, 12, tzinfo=dt.UTC)
_PAGE = 10
_LONGEST_TOKEN = 9


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
    if not _is_public(path):
        return _ordinary_by_path(box, call)
    start = start_of(call.params.get("NextToken"))
    if start is None:
        raise _invalid_token()
    names = [
        one
        for one in sorted(parameters(call.region))
        if one.startswith(path) and (call.params.get("Recursive") or "/" not in one[len(path) :])
    ]
    end = start + min(int(call.params.get("MaxResults") or _PAGE), _PAGE)
    shown = [_parameter(call.region, one) for one in names[start:end]]
    token = {"NextToken": token_of(end)} if end < len(names) else {}
    return {"Parameters": shown, **token}


def _ordinary_by_path(box: Box, call: Call) -> Mapping[str, Any]:
    token = str(call.params.get("NextToken") or "0")
    # moto's own token, a number that it does not check.
    if not (token.isascii() and token.isdigit() and len(token) <= _LONGEST_TOKEN):
        raise _invalid_token()
    return _beneath(box, call)


def _invalid_token() -> AwsError:
    return AwsError("InvalidNextToken", "The specified token isn't valid.")


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
