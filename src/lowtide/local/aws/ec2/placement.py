"""Placement groups: named, kept, and shown.

Why it exists: moto has none, and a node group with fast networking needs one. That instances of one lie near each other
is nothing that the box can show. Source: EC2 API reference, CreatePlacementGroup and its errors.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import asked, beneath, is_match
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

_STRATEGIES = ("cluster", "spread", "partition")
#: Partitions of a group that does not say how many.
_PARTITIONS = 2


def create(box: Box, call: Call) -> Mapping[str, Any]:
    """CreatePlacementGroup."""
    params, groups = call.params, _groups(box, call)
    name, strategy = params.get("GroupName"), params.get("Strategy") or "cluster"
    if not name:
        raise AwsError("MissingParameter", "The request must contain the parameter GroupName")
    if strategy not in _STRATEGIES:
        raise AwsError("InvalidParameterValue", f"Value ({strategy}) for strategy is invalid.")
    if name in groups:
        raise AwsError(
            "InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists."
        )
    group_id = f"pg-{secrets.token_hex(9)[:17]}"
    where = f"arn:aws:ec2:{call.region}:{call.caller.account}"
    groups[name] = {
        "GroupName": name,
        "State": "available",
        "Strategy": strategy,
        "GroupId": group_id,
        "GroupArn": f"{where}:placement-group/{name}",
        "Tags": [dict(one) for part in params.get("TagSpecifications", []) for one in part["Tags"]],
    }
    if strategy == "partition":
        groups[name]["PartitionCount"] = params.get("PartitionCount") or _PARTITIONS
    if strategy == "spread":
        groups[name]["SpreadLevel"] = params.get("SpreadLevel") or "rack"
    return {"PlacementGroup": groups[name]}


def describe(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribePlacementGroups."""
    params, groups = call.params, _groups(box, call)
    for name in params.get("GroupNames") or ():
        if name not in groups:
            raise _unknown(name)
    filters = params.get("Filters") or []
    found = [
        one
        for name, one in groups.items()
        if name in (params.get("GroupNames") or groups)
        and (not params.get("GroupIds") or one["GroupId"] in params["GroupIds"])
        and is_match(name, asked(filters, "group-name"))
        and is_match(one["Strategy"], asked(filters, "strategy"))
        and is_match(one["State"], asked(filters, "state"))
        and _has_key(one, asked(filters, "tag-key"))
    ]
    return {"PlacementGroups": found}


def delete(box: Box, call: Call) -> Mapping[str, Any]:
    """DeletePlacementGroup."""
    name = call.params["GroupName"]
    if _groups(box, call).pop(name, None) is None:
        raise _unknown(name)
    return {}


def describe_tags(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeTags: moto's, and those of placement groups, which it does not know."""
    answer = beneath(box, call)
    filters = call.params.get("Filters") or []
    rows = (
        row
        for row in _tag_rows(_groups(box, call))
        if is_match(row["Key"], asked(filters, "key"))
        and is_match(row["Value"], asked(filters, "value"))
        and is_match(row["ResourceId"], asked(filters, "resource-id"))
        and is_match(row["ResourceType"], asked(filters, "resource-type"))
    )
    return {**answer, "Tags": [*answer.get("Tags", ()), *rows]}


def _tag_rows(groups: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for one in groups.values():
        whose = {"ResourceId": one["GroupId"], "ResourceType": "placement-group"}
        for tag in one["Tags"]:
            yield {**whose, "Key": tag["Key"], "Value": tag.get("Value", "")}


def _has_key(group: Mapping[str, Any], keys: list[str] | None) -> bool:
    return keys is None or any(is_match(tag["Key"], keys) for tag in group["Tags"])


def _groups(box: Box, call: Call) -> dict[str, dict[str, Any]]:
    regions: dict[str, dict[str, dict[str, Any]]] = box.state("ec2").placement_groups
    return regions.setdefault(call.region, {})


def _unknown(name: str) -> AwsError:
    return AwsError("InvalidPlacementGroup.Unknown", f"The placement group '{name}' is unknown.")
