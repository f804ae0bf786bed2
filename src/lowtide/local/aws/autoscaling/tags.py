"""Tags of groups: CreateOrUpdateTags, DeleteTags, DescribeTags.

Why it exists: by tags the autoscaler finds its groups and learns what their nodes will be like. Rules of the user guide,
"Tag Auto Scaling groups and instances": 50 tags, keys of 128 and values of 256 characters, none that begins with aws:.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lowtide.local.aws.autoscaling.paging import page
from lowtide.local.aws.autoscaling.requests import refuse
from lowtide.local.aws.autoscaling.state import Group, Tag, group_of, state_of
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

MOST = 50
TYPE = "auto-scaling-group"
_KEY, _VALUE = 128, 256


def given(
    requested: Iterable[Mapping[str, Any]],
    *,
    group: str = "",
    known: Mapping[str, Tag] | None = None,
) -> dict[str, Tag]:
    """Return the tags of a request on top of those that are known.

    Raises:
        AwsError: a tag cannot be, or there are too many.
    """
    tags = dict(known or {})
    for one in requested:
        key, value = str(one["Key"]), str(one.get("Value") or "")
        if one.get("ResourceType", TYPE) != TYPE or one.get("ResourceId", group) != group:
            raise refuse(
                f"Tags of an Auto Scaling group have the ResourceType {TYPE} and its name."
            )
        # CloudFormation marks the groups that it makes by such tags.
        if key.lower().startswith("aws:") and not key.startswith("aws:cloudformation:"):
            raise refuse(f"Tag keys that begin with aws: are reserved: {key}")
        if not 0 < len(key) <= _KEY or len(value) > _VALUE:
            raise refuse(
                f"A tag's key has 1 to {_KEY} characters and its value at most {_VALUE}: {key[:_KEY]}"
            )
        tags[key] = Tag(value=value, propagates=bool(one.get("PropagateAtLaunch", False)))
    if len(tags) > MOST:
        raise AwsError(
            "LimitExceeded",
            f"An Auto Scaling group can have {MOST} tags; {group} would have {len(tags)}.",
        )
    return tags


def create_or_update(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateOrUpdateTags: all of them or none."""
    changed: dict[str, dict[str, Tag]] = {}
    for one in call.params["Tags"]:
        group = _of(box, call, one)
        known = changed.get(group.name, group.tags)
        changed[group.name] = given([one], group=group.name, known=known)
    for name, tags in changed.items():
        group_of(box, call.region, name).tags = tags
    return {}


def delete(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteTags; what is not there is no error, and a value that is given must be the tag's."""
    for one in call.params["Tags"]:
        group = _of(box, call, one)
        tag = group.tags.get(one["Key"])
        if tag is not None and one.get("Value") in (None, tag.value):
            del group.tags[one["Key"]]
    return {}


def describe(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeTags."""
    found = [
        shown(group, key)
        for group in state_of(box).of_region(call.region)
        for key in sorted(group.tags)
    ]
    fields = {
        "auto-scaling-group": "ResourceId",
        "key": "Key",
        "value": "Value",
        "propagate-at-launch": "PropagateAtLaunch",
    }
    for one in call.params.get("Filters") or []:
        field = fields.get(one.get("Name", ""))
        if field is None:
            raise refuse(f"Invalid filter name '{one.get('Name', '')}'.")
        values = [str(value).lower() if field == "PropagateAtLaunch" else value for value in one.get("Values") or []]  # fmt: skip
        found = [tag for tag in found if _text(tag[field]) in values]
    return page(found, call.params, key="Tags", usual=50)


def shown(group: Group, key: str) -> dict[str, Any]:
    """Return a tag as AWS shows it."""
    tag = group.tags[key]
    return {
        "ResourceId": group.name,
        "ResourceType": TYPE,
        "Key": key,
        "Value": tag.value,
        "PropagateAtLaunch": tag.propagates,
    }


def _of(box: Box, call: Call, tag: Mapping[str, Any]) -> Group:
    if not tag.get("ResourceId"):
        raise refuse("A tag needs the ResourceId of its Auto Scaling group.")
    return group_of(box, call.region, tag["ResourceId"])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
