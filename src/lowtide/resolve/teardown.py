"""In which order the stacks of a cluster are deleted, and what is in the way of the last one.

Why it exists: all stacks use exports of the cluster's, so CloudFormation deletes them in the reverse order of their creation alone; and the
cluster's stack cannot delete a network that something holds which is in no stack.
"""

from __future__ import annotations

from collections.abc import Collection

from lowtide.model.names import CLUSTER_TAG
from lowtide.model.remains import Remain

#: Kinds that hold a subnet, a group or a network.
_HOLDING = frozenset(
    {
        "load balancer",
        "classic load balancer",
        "network interface",
        "security group",
        "target group",
    }
)
_OF_EKS = "aws:eks:cluster-name"
_OF_NODES = "cluster.k8s.amazonaws.com/name"


def phases(stacks: Collection[str], first: str) -> tuple[tuple[str, ...], ...]:
    """Return names of stacks in the order of deletion; those of one phase are deleted at the same time.

    Args:
        stacks: names of the stacks that are there.
        first: the one that was created first, on which all others stand.
    """
    others = tuple(sorted(set(stacks) - {first}))
    last = (first,) if first in stacks else ()
    return tuple(filter(None, (others, last)))


def in_the_way(remain: Remain) -> bool:
    """Return whether a thing that no stack made, and that EKS does not delete by itself, holds the cluster's network."""
    if remain.kind not in _HOLDING or remain.found_by.startswith((CLUSTER_TAG, _OF_EKS)):
        return False
    return "=" in remain.found_by  # by a tag: what EKS calls by its name goes with the cluster


def is_beside_stacks(remain: Remain) -> bool:
    """Return whether neither a stack of the cluster nor EKS takes it away: it has tags of Kubernetes alone, or a name."""
    return not remain.found_by.startswith((CLUSTER_TAG, _OF_EKS, "description "))


def left_by_nodes(remain: Remain) -> bool:
    """Return whether it is an interface that a node's network plug-in made and nobody uses any more."""
    return (
        remain.kind == "network interface"
        and remain.found_by.startswith(_OF_NODES)
        and remain.type == "available"
    )
