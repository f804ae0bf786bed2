"""DryRun: every operation of EC2 can be asked whether it would be allowed, and then changes nothing.

Why it exists: the live checks ask in this way before they spend, and moto carries out about half of such calls. Who is
allowed was decided before an operation is reached. Source: EC2 API reference, "Common query parameters", DryRun.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import beneath
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Operation


class AnsweringDryRun(dict[str, Operation]):
    """Operations that look at DryRun first. Those that are not in it are moto's, and look at it as well."""

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
        return operation(box, call)

    return checked
