"""Operations that tell of templates: GetTemplate, GetTemplateSummary, ValidateTemplate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.lookups import state_of
from lowtide.local.aws.cloudformation.records import Stack
from lowtide.local.aws.cloudformation.requests import body_of
from lowtide.local.aws.cloudformation.schemas import schema
from lowtide.local.aws.cloudformation.shown import without_nothing
from lowtide.local.aws.cloudformation.template.capabilities import needed
from lowtide.local.aws.cloudformation.template.checking import check
from lowtide.local.aws.cloudformation.template.intrinsics import as_text
from lowtide.local.aws.cloudformation.template.reading import read
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call


def _stack(box: Box, call: Call) -> Stack:
    name = str(call.params["StackName"])
    stack = state_of(box).named(call.region, name)
    if stack is None:
        raise invalid(f"Stack with id {name} does not exist")
    return stack


def get_template(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer GetTemplate, of a stack or of one of its change sets."""
    if not call.params.get("StackName"):
        raise invalid("StackName must be specified")
    stack, wanted = _stack(box, call), call.params.get("ChangeSetName")
    text = stack.wanted.text
    if wanted:
        those = [one for one in stack.change_sets.values() if wanted in (one.id, one.name)]
        if not those:
            raise AwsError("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist", status=404)
        text = those[-1].wanted.text
    return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}


def validate_template(_box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ValidateTemplate: whether a template can be a stack, and what it needs."""
    template = read(body_of(call.params, None))
    check(template)
    capabilities, why = needed(template)
    return without_nothing(
        {
            "Parameters": [
                without_nothing(
                    {
                        "ParameterKey": name,
                        "DefaultValue": as_text(one["Default"]) if "Default" in one else None,
                        "NoEcho": _is_true(one.get("NoEcho")),
                        "Description": one.get("Description"),
                    }
                )
                for name, one in template.get("Parameters", {}).items()
            ],
            "Description": template.get("Description", ""),
            "Capabilities": capabilities or None,
            "CapabilitiesReason": why or None,
        }
    )


def _is_true(value: Any) -> bool:
    return as_text(value).lower() == "true"


def get_template_summary(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer GetTemplateSummary, of a stack or of a text."""
    stack = _stack(box, call) if call.params.get("StackName") else None
    template = stack.wanted.template if stack else read(body_of(call.params, None))
    if stack is None:
        check(template)
    capabilities, why = needed(template)
    metadata = template.get("Metadata")
    return without_nothing(
        {
            "Parameters": [
                _parameter(name, one) for name, one in template.get("Parameters", {}).items()
            ],
            "Description": template.get("Description"),
            "Capabilities": capabilities or None,
            "CapabilitiesReason": why or None,
            "ResourceTypes": sorted({one["Type"] for one in template["Resources"].values()}),
            "Version": template.get("AWSTemplateFormatVersion"),
            "Metadata": json.dumps(metadata) if metadata is not None else None,
            "ResourceIdentifierSummaries": _identifiers(template["Resources"]),
        }
    )


def _parameter(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [as_text(one) for one in declared.get("AllowedValues", [])]
    return without_nothing(
        {
            "ParameterKey": name,
            "DefaultValue": as_text(declared["Default"]) if "Default" in declared else None,
            "ParameterType": declared["Type"],
            "NoEcho": _is_true(declared.get("NoEcho")),
            "Description": declared.get("Description"),
            "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
        }
    )


def _identifiers(resources: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return by which properties each type's resources are told apart, from the published schemas."""
    names: dict[str, list[str]] = {}
    for name, one in resources.items():
        names.setdefault(one["Type"], []).append(name)
    return [
        {
            "ResourceType": kind,
            "LogicalResourceIds": those,
            "ResourceIdentifiers": [
                one.rpartition("/")[2] for one in (schema(kind) or {}).get("primaryIdentifier", [])
            ],
        }
        for kind, those in names.items()
    ]


OPERATIONS = {
    "GetTemplate": get_template,
    "GetTemplateSummary": get_template_summary,
    "ValidateTemplate": validate_template,
}
