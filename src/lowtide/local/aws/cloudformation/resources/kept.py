"""What is only kept somewhere: parameters, log groups, keys, and the handle that stands for nothing.

Source of Ref and attributes: CloudFormation template reference, AWS::SSM::Parameter, AWS::Logs::LogGroup, AWS::KMS::*.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work, changed, tag_list


def _drop(work: Work, service: str, operation: str, **params: Any) -> None:
    work.call(service, operation, **params)


# AWS::SSM::Parameter

_PARAMETER = ("Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Policies")


def _create_parameter(work: Work) -> str:
    name = str(work.properties.get("Name") or f"CFN-{work.logical_id}-{work.new_name()[-12:]}")
    tags = {"Tags": tag_list(work.tags)} if work.tags else {}
    work.call("ssm", "PutParameter", Name=name, **work.given(*_PARAMETER), **tags)
    return name


def _update_parameter(work: Work, old: Mapping[str, Any]) -> list[Step]:
    if not changed(work, old, _PARAMETER):
        return []
    params = {"Name": work.physical_id, **work.given(*_PARAMETER), "Overwrite": True}
    return [Step(service="ssm", operation="PutParameter", params=params)]


def _retag_parameter(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    what = {"ResourceType": "Parameter", "ResourceId": work.physical_id}
    steps = []
    if added:
        params = {**what, "Tags": tag_list(added)}
        steps.append(Step(service="ssm", operation="AddTagsToResource", params=params))
    if removed:
        params = {**what, "TagKeys": list(removed)}
        steps.append(Step(service="ssm", operation="RemoveTagsFromResource", params=params))
    return steps


PARAMETER = Kind(
    create=_create_parameter,
    update=_update_parameter,
    retag=_retag_parameter,
    read=lambda work: work.given("Type", "Value"),
    delete=lambda work: _drop(work, "ssm", "DeleteParameter", Name=work.physical_id),
)


# AWS::Logs::LogGroup


def _create_log_group(work: Work) -> str:
    name = str(work.properties.get("LogGroupName") or work.new_name())
    wanted: dict[str, Any] = {"logGroupName": name, "tags": dict(work.tags)}
    if "KmsKeyId" in work.properties:
        wanted["kmsKeyId"] = work.properties["KmsKeyId"]
    work.call("logs", "CreateLogGroup", **wanted)
    return name


def _retention(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    days = work.properties.get("RetentionInDays")
    group = {"logGroupName": work.physical_id}
    if days == (old or {}).get("RetentionInDays"):
        return []
    if days is None:
        return [Step(service="logs", operation="DeleteRetentionPolicy", params=group)]
    params = {**group, "retentionInDays": int(days)}
    return [Step(service="logs", operation="PutRetentionPolicy", params=params)]


def _log_arn(work: Work) -> str:
    answer = work.call("logs", "DescribeLogGroups", logGroupNamePrefix=work.physical_id)
    return next(
        str(one["arn"]) for one in answer["logGroups"] if one["logGroupName"] == work.physical_id
    )


def _retag_log_group(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    group = {"logGroupName": work.physical_id}
    steps = []
    if added:
        params = {**group, "tags": dict(added)}
        steps.append(Step(service="logs", operation="TagLogGroup", params=params))
    if removed:
        params = {**group, "tags": list(removed)}
        steps.append(Step(service="logs", operation="UntagLogGroup", params=params))
    return steps


LOG_GROUP = Kind(
    create=_create_log_group,
    follow=_retention,
    update=_retention,
    retag=_retag_log_group,
    read=lambda work: {"Arn": _log_arn(work)},
    delete=lambda work: _drop(work, "logs", "DeleteLogGroup", logGroupName=work.physical_id),
)


# AWS::KMS::Key and AWS::KMS::Alias

_PENDING_DAYS = 30


def _create_key(work: Work) -> str:
    wanted = work.given("Description", "KeySpec", "KeyUsage", "MultiRegion")
    if "KeyPolicy" in work.properties:
        wanted["Policy"] = json.dumps(work.properties["KeyPolicy"])
    tags = [{"TagKey": key, "TagValue": value} for key, value in work.tags.items()]
    answer = work.call("kms", "CreateKey", **wanted, Tags=tags)
    return str(answer["KeyMetadata"]["KeyId"])


def _key_settings(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    key, steps = {"KeyId": work.physical_id}, []
    rotates = bool(work.properties.get("EnableKeyRotation", False))
    if rotates != bool((old or {}).get("EnableKeyRotation", False)):
        verb = "EnableKeyRotation" if rotates else "DisableKeyRotation"
        steps.append(Step(service="kms", operation=verb, params=key))
    policy = changed(work, old, ["KeyPolicy"]) if old is not None else {}
    if policy:
        params = {**key, "PolicyName": "default", "Policy": json.dumps(policy["KeyPolicy"])}
        steps.append(Step(service="kms", operation="PutKeyPolicy", params=params))
    return steps


def _read_key(work: Work) -> dict[str, Any]:
    found = work.call("kms", "DescribeKey", KeyId=work.physical_id)["KeyMetadata"]
    return {"Arn": found["Arn"], "KeyId": work.physical_id}


def _delete_key(work: Work) -> None:
    days = int(work.properties.get("PendingWindowInDays", _PENDING_DAYS))
    work.call("kms", "ScheduleKeyDeletion", KeyId=work.physical_id, PendingWindowInDays=days)


KEY = Kind(
    create=_create_key,
    follow=_key_settings,
    update=_key_settings,
    read=_read_key,
    delete=_delete_key,
)


def _create_alias(work: Work) -> str:
    work.call("kms", "CreateAlias", **work.given("AliasName", "TargetKeyId"))
    return str(work.properties["AliasName"])


def _update_alias(work: Work, _old: Mapping[str, Any]) -> list[Step]:
    params = work.given("AliasName", "TargetKeyId")
    return [Step(service="kms", operation="UpdateAlias", params=params)]


ALIAS = Kind(
    create=_create_alias,
    update=_update_alias,
    delete=lambda work: _drop(work, "kms", "DeleteAlias", AliasName=work.physical_id),
)


# AWS::CloudFormation::WaitConditionHandle: a resource that is nothing, which templates use to be never empty.


def _nothing(_work: Work) -> None:
    return None


HANDLE = Kind(create=lambda work: work.new_name(), delete=_nothing)

KINDS: Mapping[str, Kind] = {
    "AWS::CloudFormation::WaitConditionHandle": HANDLE,
    "AWS::KMS::Alias": ALIAS,
    "AWS::KMS::Key": KEY,
    "AWS::Logs::LogGroup": LOG_GROUP,
    "AWS::SSM::Parameter": PARAMETER,
}
