"""What holds for every operation of EC2: DryRun changes nothing, and filters and tags have a name.

Why it exists: the live checks ask in this way before they spend, and moto carries out about half of such calls. Who is
allowed was decided before an operation is reached. Source: EC2 API reference, "Common query parameters", DryRun.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import beneath
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Operation


class AnsweringDryRun(dict[str, Operation]):
    """Operations that look at DryRun, filters and tags first. Those that are not in it are moto's, and do so as well."""

    def __init__(self, ours: Mapping[str, Operation]) -> None:
        super().__init__({name: _first(operation) for name, operation in ours.items()})

    def __contains__(self, name: object) -> bool:
        """Say yes to every operation: what nobody serves is moto's to refuse."""
        return isinstance(name, str)

    def __missing__(self, name: str) -> Operation:
        """Return moto's operation."""
        return _first(beneath)


def _first(operation: Operation) -> Operation:
    @functools.wraps(operation)
    def checked(box: Box, call: Call) -> Mapping[str, Any]:
        if call.params.get("DryRun"):
            raise AwsError(
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
                status=412,
            )
        return operation(box, _with_whole_lists(call))

    return checked


def _with_whole_lists(call: Call) -> Call:
    """Return the call with filters and tags that have all their parts.

    Raises:
        AwsError: one has no name, or is for no kind of resource.
    """
    filters, tags = call.params.get("Filters"), call.params.get("TagSpecifications")
    for one in filters or []:
        if not one.get("Name"):
            raise AwsError("InvalidParameterValue", "The filter 'null' is invalid")
    for one in tags or []:
        if not one.get("ResourceType"):
            raise AwsError(
                "InvalidParameterValue", "Tag specification resource type must have a value"
            )
    params = dict(call.params)
    if filters:
        params["Filters"] = [{"Values": [], **one} for one in filters]
    if tags:
        params["TagSpecifications"] = [{"Tags": [], **one} for one in tags]
    return dataclasses.replace(call, params=params)
