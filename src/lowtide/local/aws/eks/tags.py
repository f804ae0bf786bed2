"""Tags of everything that EKS keeps, found by ARN."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks.refusals import invalid_parameter, not_found
from lowtide.local.aws.eks.state import Cluster, eks_state
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_MOST = 50


def tag_resource(box: Box, call: Call) -> Mapping[str, Any]:
    """TagResource."""
    tags = _tags(box, call)
    wanted = {**tags, **call.params["tags"]}
    if any(key.lower().startswith("aws:") for key in call.params["tags"]):
        raise AwsError("BadRequestException", "Tag keys cannot start with aws:")
    if len(wanted) > _MOST:
        raise AwsError("BadRequestException", f"A resource can have at most {_MOST} tags")
    tags |= wanted
    return {}


def untag_resource(box: Box, call: Call) -> Mapping[str, Any]:
    """UntagResource."""
    tags = _tags(box, call)
    for key in call.params["tagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags_for_resource(box: Box, call: Call) -> Mapping[str, Any]:
    """ListTagsForResource."""
    return {"tags": dict(_tags(box, call))}


def _tags(box: Box, call: Call) -> dict[str, str]:
    arn = call.params["resourceArn"]
    if not arn.startswith("arn:aws:eks:"):
        raise invalid_parameter(f"The specified resourceArn is invalid: {arn}")
    for cluster in eks_state(box).clusters.values():
        if cluster.region == call.region:
            for key, tags in _of(cluster):
                if key == arn:
                    return tags
    raise not_found(f"No resource found for ARN: {arn}", resourceArn=arn)


def _of(cluster: Cluster) -> Iterator[tuple[str, dict[str, str]]]:
    yield cluster.described["arn"], cluster.described["tags"]
    parts = (
        (cluster.nodegroups.values(), "nodegroupArn"),
        (cluster.addons.values(), "addonArn"),
        (cluster.associations.values(), "associationArn"),
        ((one.described for one in cluster.entries.values()), "accessEntryArn"),
    )
    for described, key in parts:
        for one in described:
            yield one[key], one["tags"]


OPERATIONS = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
