"""What a caller must acknowledge before a template may make IAM resources.

Source: CloudFormation API reference, CreateStack, Capabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lowtide.local.aws.errors import AwsError

IAM = "CAPABILITY_IAM"
NAMED_IAM = "CAPABILITY_NAMED_IAM"
_NAMES: Mapping[str, frozenset[str]] = {
    "AWS::IAM::AccessKey": frozenset(),
    "AWS::IAM::Group": frozenset({"GroupName"}),
    "AWS::IAM::InstanceProfile": frozenset({"InstanceProfileName"}),
    "AWS::IAM::ManagedPolicy": frozenset({"ManagedPolicyName"}),
    "AWS::IAM::Policy": frozenset(),
    "AWS::IAM::Role": frozenset({"RoleName"}),
    "AWS::IAM::User": frozenset({"UserName"}),
    "AWS::IAM::UserToGroupAddition": frozenset(),
}


def needed(template: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return the capabilities that a template needs, and why, in CloudFormation's words."""
    resources = [one for one in template["Resources"].values() if one["Type"] in _NAMES]
    if not resources:
        return [], ""
    named = any(_NAMES[one["Type"]] & one.get("Properties", {}).keys() for one in resources)
    types = ", ".join(sorted({one["Type"] for one in resources}))
    why = f"The following resource(s) require capabilities: [{types}]"
    return [NAMED_IAM if named else IAM], why


def demand(template: Mapping[str, Any], given: Iterable[str]) -> None:
    """Refuse a template whose capabilities were not acknowledged; the named one includes the other.

    Raises:
        AwsError: InsufficientCapabilitiesException.
    """
    wanted, _ = needed(template)
    if wanted and not {*wanted, NAMED_IAM} & set(given):
        raise AwsError(
            "InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(wanted)}]"
        )
