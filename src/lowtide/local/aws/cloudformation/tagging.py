"""Which tags a resource gets: the stack's, its own, and those by which AWS marks what a stack made.

Source: CloudFormation user guide, "Resource tag".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.cloudformation.records import Stack, Wanted
from lowtide.local.aws.cloudformation.template.intrinsics import as_text


def tags_for(
    stack: Stack, wanted: Wanted, logical_id: str, properties: Mapping[str, Any]
) -> dict[str, str]:
    """Return the tags of a resource; its own win over the stack's."""
    return {
        **wanted.tags,
        **_own(properties.get("Tags", [])),
        "aws:cloudformation:stack-name": stack.name,
        "aws:cloudformation:stack-id": stack.id,
        "aws:cloudformation:logical-id": logical_id,
    }


def _own(given: Any) -> dict[str, str]:
    """Read a Tags property, which is a list of keys and values or, for some types, a mapping."""
    if isinstance(given, Mapping):
        return {str(key): as_text(value) for key, value in given.items()}
    return {str(one["Key"]): as_text(one["Value"]) for one in given}
