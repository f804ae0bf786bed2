"""What the types of EC2 have in common: tags, and calls that name one id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import Step, Work, tag_list
from lowtide.local.aws.errors import AwsError


def tagged(work: Work, resource_type: str) -> dict[str, Any]:
    """Return the TagSpecifications of an EC2 call."""
    if not work.tags:
        return {}
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": tag_list(work.tags)}]}


def retag(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    """Return the calls that change the tags of an EC2 resource whose Ref is its id."""
    return retag_id(work.physical_id, added, removed)


def retag_id(resource_id: str, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    """Return the calls that change the tags of any EC2 resource."""
    steps = []
    if added:
        steps.append(step("CreateTags", Resources=[resource_id], Tags=tag_list(added)))
    if removed:
        keys = [{"Key": key} for key in removed]
        steps.append(step("DeleteTags", Resources=[resource_id], Tags=keys))
    return steps


def step(operation: str, **params: Any) -> Step:
    """Return a call of EC2."""
    return Step(service="ec2", operation=operation, params=params)


def first_of(work: Work, operation: str, answer: str, **params: Any) -> Mapping[str, Any]:
    """Return the first of what a call describes.

    Raises:
        AwsError: NotFound: there is none.
    """
    found: Sequence[Mapping[str, Any]] = work.call("ec2", operation, **params)[answer]
    if not found:
        raise AwsError("NotFound", f"{work.physical_id} does not exist")
    return found[0]


def deleter(operation: str, parameter: str) -> Callable[[Work], None]:
    """Return a deletion by one call that names the physical id."""

    def delete(work: Work) -> None:
        work.call("ec2", operation, **{parameter: work.physical_id})

    return delete


def id_only(attribute: str) -> Callable[[Work], dict[str, Any]]:
    """Return a reader of attributes for a type whose only one is its id."""
    return lambda work: {attribute: work.physical_id}
