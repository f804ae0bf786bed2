"""Operations that show stacks, their resources, events, exports and imports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.lookups import importers, state_of
from lowtide.local.aws.cloudformation.records import Resource, Stack, StackEvent
from lowtide.local.aws.cloudformation.shown import page, parameters_shown, without_nothing
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.service import Call

_NO_DRIFT = {"StackDriftStatus": "NOT_CHECKED"}
_NO_RESOURCE_DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}


def _stack(box: Box, call: Call, words: str = "Stack with id {} does not exist") -> Stack:
    name = str(call.params["StackName"])
    stack = state_of(box).named(call.region, name)
    if stack is None:
        raise invalid(words.format(name))
    return stack


def describe_stacks(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer DescribeStacks; a deleted stack is found by its id alone."""
    if call.params.get("StackName"):
        return {"Stacks": [_described(_stack(box, call))]}
    those = [one for one in state_of(box).of_region(call.region) if one.is_there]
    return page([_described(one) for one in those], call.params, key="Stacks")


def _described(stack: Stack) -> dict[str, Any]:
    wanted = stack.wanted
    return without_nothing(
        {
            "StackId": stack.id,
            "StackName": stack.name,
            "ChangeSetId": stack.change_set_id or None,
            "Description": wanted.template.get("Description"),
            "Parameters": parameters_shown(wanted),
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "DeletionTime": stack.deleted,
            "RollbackConfiguration": {},
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason or None,
            "DisableRollback": stack.on_failure == "DO_NOTHING",
            "NotificationARNs": list(wanted.notification_arns),
            "TimeoutInMinutes": stack.timeout_minutes,
            "Capabilities": list(wanted.capabilities),
            "Outputs": [
                without_nothing(
                    {
                        "OutputKey": one.key,
                        "OutputValue": one.value,
                        "Description": one.description or None,
                        "ExportName": one.export or None,
                    }
                )
                for one in stack.outputs
            ],
            "RoleARN": wanted.role_arn or None,
            "Tags": [{"Key": key, "Value": value} for key, value in wanted.tags.items()],
            "EnableTerminationProtection": stack.is_protected,
            "DriftInformation": _NO_DRIFT,
        }
    )


def list_stacks(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ListStacks, deleted stacks included."""
    asked = set(call.params.get("StackStatusFilter") or ())
    those = [
        without_nothing(
            {
                "StackId": one.id,
                "StackName": one.name,
                "TemplateDescription": one.wanted.template.get("Description"),
                "CreationTime": one.created,
                "LastUpdatedTime": one.updated,
                "DeletionTime": one.deleted,
                "StackStatus": one.status,
                "StackStatusReason": one.reason or None,
                "DriftInformation": _NO_DRIFT,
            }
        )
        for one in state_of(box).of_region(call.region)
        if not asked or one.status in asked
    ]
    return page(those, call.params, key="StackSummaries")


def describe_stack_events(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer DescribeStackEvents, the newest first."""
    stack = _stack(box, call, "Stack [{}] does not exist")
    those = [_event(stack, one) for one in reversed(stack.events)]
    return page(those, call.params, key="StackEvents")


def _event(stack: Stack, one: StackEvent) -> dict[str, Any]:
    return without_nothing(
        {
            "StackId": stack.id,
            "EventId": one.event_id,
            "StackName": stack.name,
            "LogicalResourceId": one.logical_id,
            "PhysicalResourceId": one.physical_id,
            "ResourceType": one.type,
            "Timestamp": one.at,
            "ResourceStatus": one.status,
            "ResourceStatusReason": one.reason or None,
            "ResourceProperties": one.properties or None,
            "ClientRequestToken": one.token or None,
        }
    )


def _shown(stack: Stack, one: Resource, when: str) -> dict[str, Any]:
    """Return a resource as three operations show it; they name its time differently."""
    return without_nothing(
        {
            "StackName": stack.name,
            "StackId": stack.id,
            "LogicalResourceId": one.logical_id,
            "PhysicalResourceId": one.physical_id or None,
            "ResourceType": one.type,
            when: one.at,
            "ResourceStatus": one.status,
            "ResourceStatusReason": one.reason or None,
            "DriftInformation": _NO_RESOURCE_DRIFT,
        }
    )


def describe_stack_resource(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer DescribeStackResource."""
    stack, name = _stack(box, call, "Stack '{}' does not exist"), call.params["LogicalResourceId"]
    found = stack.resources.get(name)
    if found is None:
        raise invalid(f"Resource {name} does not exist for stack {stack.name}")
    detail = _shown(stack, found, "LastUpdatedTimestamp")
    if found.metadata is not None:
        detail["Metadata"] = json.dumps(found.metadata)
    return {"StackResourceDetail": detail}


def describe_stack_resources(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer DescribeStackResources, by stack or by the id of a resource."""
    params = call.params
    if params.get("PhysicalResourceId"):
        stack = _holder(box, call, str(params["PhysicalResourceId"]))
    elif params.get("StackName"):
        stack = _stack(box, call)
    else:
        raise invalid("One of StackName or PhysicalResourceId must be specified.")
    wanted = params.get("LogicalResourceId")
    those = [
        _shown(stack, one, "Timestamp")
        for name, one in stack.resources.items()
        if wanted in (None, name)
    ]
    return {"StackResources": those}


def _holder(box: Box, call: Call, physical_id: str) -> Stack:
    for stack in state_of(box).of_region(call.region):
        for one in stack.resources.values():
            if stack.is_there and one.physical_id == physical_id:
                return stack
    raise invalid(f"Stack for {physical_id} does not exist")


def list_stack_resources(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ListStackResources."""
    stack = _stack(box, call)
    those = []
    for one in stack.resources.values():
        shown = _shown(stack, one, "LastUpdatedTimestamp")
        those.append({key: shown[key] for key in shown if key not in ("StackName", "StackId")})
    return page(those, call.params, key="StackResourceSummaries")


def list_exports(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ListExports."""
    those = [
        {"ExportingStackId": stack.id, "Name": one.export, "Value": one.value}
        for stack in state_of(box).of_region(call.region)
        if stack.is_there
        for one in stack.outputs
        if one.export
    ]
    return page(those, call.params, key="Exports")


def list_imports(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ListImports."""
    name = str(call.params["ExportName"])
    users = importers(box, call.region, name)
    if not users:
        raise invalid(f"Export '{name}' is not imported by any stack.")
    return page(users, call.params, key="Imports")


OPERATIONS = {
    "DescribeStackEvents": describe_stack_events,
    "DescribeStackResource": describe_stack_resource,
    "DescribeStackResources": describe_stack_resources,
    "DescribeStacks": describe_stacks,
    "ListExports": list_exports,
    "ListImports": list_imports,
    "ListStackResources": list_stack_resources,
    "ListStacks": list_stacks,
}
