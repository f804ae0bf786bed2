"""What the names in a template stand for while its values are evaluated.

Why it exists: evaluation asks for parameters, resources, exports and zones; who knows them is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.local.aws.cloudformation.template.refused import invalid


class Unknown:
    """A value that nobody knows before the stack is updated: part of a resource that will be new."""

    __slots__ = ()


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What others see of a resource: its physical id by Ref, its attributes by GetAtt."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _no_export(name: str) -> str:
    raise invalid(f"No export named {name} found. Rollback requested by user.")


def _nothing(_name: str) -> list[str]:
    return []


def _no_parameter(name: str) -> str:
    raise invalid(f"Unable to fetch parameters [{name}] from parameter store for this account.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Everything that intrinsic functions may look up. A resource that is not made yet is missing or UNKNOWN."""

    pseudo: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, bool] = field(default_factory=dict)
    resources: Mapping[str, Made | Unknown] = field(default_factory=dict)
    imported: Callable[[str], Any] = _no_export
    zones: Callable[[str], list[str]] = _nothing
    stored: Callable[[str], str] = _no_parameter


#: Pseudo parameters (user guide, "Get AWS values using pseudo parameters").
NO_VALUE = "AWS::NoValue"
PSEUDO = frozenset(
    {
        "AWS::AccountId",
        "AWS::NotificationARNs",
        NO_VALUE,
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)


def pseudo_parameters(
    region: str, account: str, stack_id: str, stack_name: str, notification_arns: list[str]
) -> dict[str, Any]:
    """Return the pseudo parameters of a stack."""
    china = region.startswith("cn-")
    partition = "aws-cn" if china else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    return {
        "AWS::AccountId": account,
        "AWS::NotificationARNs": notification_arns,
        "AWS::Partition": partition,
        "AWS::Region": region,
        "AWS::StackId": stack_id,
        "AWS::StackName": stack_name,
        "AWS::URLSuffix": "amazonaws.com.cn" if china else "amazonaws.com",
    }
