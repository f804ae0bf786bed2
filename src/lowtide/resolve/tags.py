"""Auto Scaling group tags by which the autoscaler finds a group and knows its nodes before there are any.

Formats: cluster-autoscaler cloudprovider/aws/README.md and aws_manager.go at 1.36.1. A taint is read only as ``VALUE:EFFECT``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lowtide.model.cluster import NodeGroup
from lowtide.model.names import (
    TAG_CLUSTER_PREFIX,
    TAG_ENABLED,
    TAG_LABEL_PREFIX,
    TAG_OPTION_PREFIX,
    TAG_RESOURCE_PREFIX,
    TAG_TAINT_PREFIX,
)
from lowtide.model.quantity import EPHEMERAL_STORAGE, MEMORY, PODS, format_amount
from lowtide.model.taints import Taint

#: AWS allows 50 tags on an Auto Scaling group.
MAX_TAGS = 50

UNNEEDED_TIME_TAG = TAG_OPTION_PREFIX + "scaledownunneededtime"
#: Idle GPU nodes cost too much for the general ten minutes.
GPU_UNNEEDED_TIME = "2m"

#: CPU and GPUs stay at the full count: tags for them would make an empty group look unlike a live one.
_TAGGED_RESOURCES = (MEMORY, PODS, EPHEMERAL_STORAGE)


def discovery_tags(cluster: str) -> dict[str, str]:
    """Return the two tags by which the autoscaler of this cluster finds a group."""
    return {TAG_ENABLED: "true", TAG_CLUSTER_PREFIX + cluster: "owned"}


def label_tags(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the template labels of a group at zero."""
    return {TAG_LABEL_PREFIX + key: value for key, value in labels.items()}


def taint_tags(taints: Iterable[Taint]) -> dict[str, str]:
    """Return the template taints of a group at zero, in the one form that the autoscaler reads."""
    return {TAG_TAINT_PREFIX + one.key: f"{one.value}:{one.effect}" for one in taints}


def eksctl_taint_tags(taints: Iterable[Taint]) -> dict[str, str]:
    """Return what eksctl's propagateASGTags writes: the value alone, which the autoscaler ignores."""
    return {TAG_TAINT_PREFIX + one.key: one.value for one in taints}


def resource_tags(group: NodeGroup) -> dict[str, str]:
    """Return the least that a node of the group can be relied on to offer, whichever of its types comes."""
    return {
        TAG_RESOURCE_PREFIX + name: format_amount(
            name, min(one.allocatable[name] for one in group.candidates)
        )
        for name in _TAGGED_RESOURCES
    }


def full_tags(group: NodeGroup, cluster: str, *, unneeded_time: str) -> dict[str, str]:
    """Return every tag that makes scaling from zero exact.

    Args:
        group: with its final labels and taints.
        cluster: its name.
        unneeded_time: how long a GPU node of the group may idle; empty to leave that to the flag.
    """
    tags = {
        **discovery_tags(cluster),
        **label_tags(group.labels),
        **taint_tags(group.taints),
        **resource_tags(group),
    }
    if group.is_gpu and unneeded_time:
        tags[UNNEEDED_TIME_TAG] = unneeded_time
    return tags
