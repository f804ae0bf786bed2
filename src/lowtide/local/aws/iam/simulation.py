"""iam:SimulatePrincipalPolicy: may this principal do that?

Why it exists: the live checks ask before they spend, and moto does not answer. Identity policies, a permissions boundary and policies
given in the call are evaluated; resource policies and organisations are not, for the box has none.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lowtide.local.aws import credentials
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.iam.statements import (
    ALLOW,
    DENY,
    Context,
    Match,
    context_keys,
    is_policy,
    matches,
)
from lowtide.local.aws.service import Call

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(user|group|role)/(?:.*/)?([^/]+)")
_ADMINISTRATOR = {"Statement": [{"Effect": ALLOW, "Action": "*", "Resource": "*"}]}

#: A policy by its name.
Policies = list[tuple[str, Mapping[str, Any]]]


def simulate_principal_policy(box: Box, call: Call) -> Mapping[str, Any]:
    """SimulatePrincipalPolicy."""
    params = call.params
    policies, boundary = _policies(box, params["PolicySourceArn"])
    given = _given(params, "PermissionsBoundaryPolicyInputList")
    return _simulated([*policies, *_given(params, "PolicyInputList")], given or boundary, params)


def simulate_custom_policy(_box: Box, call: Call) -> Mapping[str, Any]:
    """SimulateCustomPolicy: policies that nobody has."""
    params = call.params
    boundary = _given(params, "PermissionsBoundaryPolicyInputList")
    return _simulated(_given(params, "PolicyInputList"), boundary, params)


def _given(params: Mapping[str, Any], key: str) -> Policies:
    """Return the policies in a list of texts.

    Raises:
        AwsError: one is no JSON document.
    """
    found: Policies = []
    for index, text in enumerate(params.get(key, []), start=1):
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not is_policy(document):
            raise AwsError("InvalidInput", "Syntax errors in policy.")
        found.append((f"{key}.{index}", document))
    return found


def _simulated(
    policies: Policies, boundary: Policies, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    context = {
        one["ContextKeyName"]: tuple(one.get("ContextKeyValues", []))
        for one in params.get("ContextEntries", [])
        if "ContextKeyName" in one
    }
    results = [
        _result(policies, boundary, action, resource, context)
        for action in params["ActionNames"]
        for resource in params.get("ResourceArns") or ["*"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _result(
    policies: Policies, boundary: Policies, action: str, resource: str, context: Context
) -> dict[str, Any]:
    found = list(_all_matches(policies, action, resource, context))
    limits = list(_all_matches(boundary, action, resource, context))
    asked = (
        set().union(*(context_keys(document) for _, document in policies)) if policies else set()
    )
    given = {key.lower() for key in context}
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": _decision(found, limits, bounded=bool(boundary)),
        "MatchedStatements": [
            {"SourcePolicyId": one.policy, "SourcePolicyType": "IAM Policy"} for one in found
        ],
        "MissingContextValues": sorted(key for key in asked if key.lower() not in given),
    }
    if boundary:
        allowed = any(one.effect == ALLOW for one in limits)
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return result


def _decision(found: Sequence[Match], limits: Sequence[Match], *, bounded: bool) -> str:
    if any(one.effect == DENY for one in (*found, *limits)):
        return "explicitDeny"
    allowed = any(one.effect == ALLOW for one in found)
    within = not bounded or any(one.effect == ALLOW for one in limits)
    return "allowed" if allowed and within else "implicitDeny"


def _all_matches(
    policies: Policies, action: str, resource: str, context: Context
) -> Iterator[Match]:
    for name, document in policies:
        yield from matches(document, name, action, resource, context)


def _policies(box: Box, arn: str) -> tuple[Policies, Policies]:
    """Return the principal's policies, and its permissions boundary's.

    Raises:
        AwsError: NoSuchEntity.
    """
    principal = _PRINCIPAL.fullmatch(arn)
    if principal is None:
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn}")
    kind, name = principal.groups()
    if arn == credentials.admin(box).caller.arn:
        return [("AdministratorAccess", _ADMINISTRATOR)], []
    title = kind.capitalize()
    which = {f"{title}Name": name}
    entity = box.call("iam", f"Get{title}", which)[title]
    found = [*_attached(box, title, which), *_inline(box, title, which)]
    if kind == "user":
        for group in box.call("iam", "ListGroupsForUser", which)["Groups"]:
            member = {"GroupName": group["GroupName"]}
            found += [*_attached(box, "Group", member), *_inline(box, "Group", member)]
    boundary = entity.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return found, [_managed(box, boundary)] if boundary else []


def _attached(box: Box, title: str, which: Mapping[str, str]) -> Policies:
    answer = box.call("iam", f"ListAttached{title}Policies", which)
    return [_managed(box, one["PolicyArn"]) for one in answer["AttachedPolicies"]]


def _inline(box: Box, title: str, which: Mapping[str, str]) -> Policies:
    names = box.call("iam", f"List{title}Policies", which)["PolicyNames"]
    return [
        (name, _document(box.call("iam", f"Get{title}Policy", {**which, "PolicyName": name})["PolicyDocument"]))
        for name in names
    ]  # fmt: skip


def _managed(box: Box, arn: str) -> tuple[str, Mapping[str, Any]]:
    version = box.call("iam", "GetPolicy", {"PolicyArn": arn})["Policy"]["DefaultVersionId"]
    answer = box.call("iam", "GetPolicyVersion", {"PolicyArn": arn, "VersionId": version})
    return arn.rpartition("/")[2], _document(answer["PolicyVersion"]["Document"])


def _document(value: Any) -> Mapping[str, Any]:
    """Return a policy document as a dict, however the answer holds it."""
    document: Mapping[str, Any] = (
        json.loads(urllib.parse.unquote(value)) if isinstance(value, str) else value
    )
    return document
