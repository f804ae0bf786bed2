"""Labels and Auto Scaling group tags of the resolved groups, ours (``full``) or the file's (``asFile``).

``full``: every GPU group gets the accelerator label, alike groups their pool label, every group all autoscaler tags. ``asFile``: what
eksctl would make of the file and nothing else; the accelerator label is on the nodes only if the file writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from lowtide.model.cluster import NodeGroup
from lowtide.model.names import (
    ACCELERATOR,
    TAG_LABEL_PREFIX,
    TAG_RESOURCE_PREFIX,
    TAG_TAINT_PREFIX,
)
from lowtide.resolve.context import REPLACED_TAG, TOO_MANY_TAGS, Context
from lowtide.resolve.flags import UNNEEDED_TIME_FLAG
from lowtide.resolve.pools import with_pools
from lowtide.resolve.tags import (
    GPU_UNNEEDED_TIME,
    MAX_TAGS,
    discovery_tags,
    eksctl_taint_tags,
    full_tags,
    label_tags,
    taint_tags,
)
from lowtide.spec.clusterconfig.cluster import GroupAt

#: Name, kubernetes.io/cluster/NAME and lowtide.dev/cluster, which every node group has besides.
_OTHER_TAGS = 3


def with_tags(
    context: Context, groups: Sequence[tuple[GroupAt, NodeGroup]]
) -> tuple[NodeGroup, ...]:
    """Return the groups with their final labels and tags; adds findings about the file's own tags."""
    places = [at for at, _ in groups]
    resolved = [group for _, group in groups]
    if context.full:
        resolved = list(with_pools([_with_accelerator(group) for group in resolved]))
    tagged = [
        replace(group, asg_tags=_tags(context, at, group, resolved))
        for at, group in zip(places, resolved, strict=True)
    ]
    for at, group in zip(places, tagged, strict=True):
        _refuse_too_many(context, at, group)
    return tuple(tagged)


def _with_accelerator(group: NodeGroup) -> NodeGroup:
    """Return a GPU group with the label by which the autoscaler waits for GPUs that are not there yet."""
    if not group.is_gpu or ACCELERATOR in group.labels:
        return group
    types = (one.offering.instance_type for one in group.candidates)
    value = next(one.accelerator for one in types if one.accelerator)
    return replace(group, labels={**group.labels, ACCELERATOR: value})


def _tags(
    context: Context, at: GroupAt, group: NodeGroup, groups: Sequence[NodeGroup]
) -> dict[str, str]:
    file_tags = _file_tags(context, at)
    if not context.full:
        return _tags_as_file(context, at, group, file_tags)
    flag_given = UNNEEDED_TIME_FLAG in context.policy.autoscaler.flags
    unneeded_time = "" if flag_given else GPU_UNNEEDED_TIME
    ours = full_tags(group, context.config.name, unneeded_time=unneeded_time)
    beside = [one for one in groups if one.name != group.name]
    _warn_of_replaced(context, at, file_tags, ours, beside)
    # A resource or option that the file states was measured or meant; what it says of labels and taints must agree
    # with the group.
    derived = {key: value for key, value in ours.items() if _describes_node(key)}
    return {**ours, **file_tags, **derived}


def _file_tags(context: Context, at: GroupAt) -> dict[str, str]:
    """Return the file's tags as far as they reach the Auto Scaling group.

    eksctl makes them stack tags, which CloudFormation puts on the group. A managed group's own tags stay on the EKS node group,
    where the autoscaler reads resources from them.
    """
    tags = {**context.config.metadata.tags, **at.group.tags}
    if at.group.managed:
        return {key: value for key, value in tags.items() if key.startswith(TAG_RESOURCE_PREFIX)}
    return tags


def _tags_as_file(
    context: Context, at: GroupAt, group: NodeGroup, file_tags: Mapping[str, str]
) -> dict[str, str]:
    discovery = discovery_tags(context.config.name)
    if group.managed:
        # EKS writes the discovery tags itself, and the autoscaler asks EKS for labels and taints.
        return {**discovery, **label_tags(group.labels), **taint_tags(group.taints), **file_tags}
    tags = dict(file_tags)
    if at.group.has_autoscaler_policy:
        tags |= discovery
    if at.group.propagate_asg_tags:
        # A resource's own tags win over its stack's (CloudFormation user guide, "Resource tags").
        tags |= label_tags(group.labels) | eksctl_taint_tags(group.taints)
    return tags


def _describes_node(key: str) -> bool:
    return key.startswith((TAG_LABEL_PREFIX, TAG_TAINT_PREFIX))


def _warn_of_replaced(
    context: Context,
    at: GroupAt,
    file_tags: Mapping[str, str],
    ours: Mapping[str, str],
    beside: Sequence[NodeGroup],
) -> None:
    for key, value in file_tags.items():
        if _describes_node(key) and ours.get(key, value) != value:
            message = f"tag {key} says {value!r}, but the group itself gives {ours[key]!r}"
            path = (*at.path, "tags", key) if key in at.group.tags else ("metadata", "tags", key)
            fix = f"write {ours[key]!r}, or remove the tag"
            fix += _or_as_beside(key, ours[key], value, beside)
            context.warn(REPLACED_TAG, message, path, fix)


def _or_as_beside(key: str, ours: str, said: str, beside: Sequence[NodeGroup]) -> str:
    """Return the value that another group gives a label, where ours may be a misspelling of it; else nothing."""
    label = key.removeprefix(TAG_LABEL_PREFIX)
    values = {one.labels[label]: one.name for one in reversed(beside) if label in one.labels}
    if ours in values:
        return ""
    meant = [said] if said in values else get_close_matches(ours, values, 1)
    return "".join(f"; or did you mean {one}, as in {values[one]}?" for one in meant)


def _refuse_too_many(context: Context, at: GroupAt, group: NodeGroup) -> None:
    count = len(group.asg_tags) + _OTHER_TAGS
    if count > MAX_TAGS:
        context.problems.add(
            *TOO_MANY_TAGS,
            f"node group {group.name} would have {count} tags, and an Auto Scaling group takes {MAX_TAGS}",
            (*at.path, "labels") if at.group.labels else at.path,
            "remove labels or tags",
        )
