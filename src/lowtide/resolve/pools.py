"""Groups that differ only in name and zone share a label, by which the autoscaler balances them.

The built-in comparison does not see that a group at zero is like a live one: from 1 live and 2 empty groups, ten more pods give
10/1/0 nodes, with a shared label and --balancing-label 4/4/3 (recorded on Cluster Autoscaler 1.36.1).
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace

from lowtide.model.cluster import NodeGroup
from lowtide.model.names import EKS_NODEGROUP, EKSCTL_NODEGROUP, POOL

#: Labels that name the group itself, as eksctl and EKS write them.
_OWN_NAME = frozenset({EKSCTL_NODEGROUP, EKS_NODEGROUP})


def with_pools(groups: Sequence[NodeGroup]) -> tuple[NodeGroup, ...]:
    """Return the groups with pool label and ``pool`` value where they have one.

    Every GPU group gets one; other groups only when two or more are alike, because with a balancing label the autoscaler compares
    nothing else. A value that the file wrote stays.
    """
    alike: defaultdict[Hashable, list[NodeGroup]] = defaultdict(list)
    for group in groups:
        alike[_likeness(group)].append(group)
    names = _pool_names(alike)
    return tuple(
        _with_pool(group, names[_likeness(group)])
        if group.is_gpu or len(alike[_likeness(group)]) > 1
        else group
        for group in groups
    )


def _with_pool(group: NodeGroup, name: str) -> NodeGroup:
    pool = group.labels.get(POOL, name)
    return replace(group, labels={**group.labels, POOL: pool}, pool=pool)


def _likeness(group: NodeGroup) -> Hashable:
    """Return what two groups must share; sizes may differ, they change no node."""
    return (
        group.managed,
        tuple(one.offering.instance_type.name for one in group.candidates),
        frozenset(item for item in group.labels.items() if item[0] not in _OWN_NAME),
        frozenset(group.taints),
        (group.on_demand_base, group.on_demand_percent, group.allocation_strategy),
        group.max_spot_usd_per_hour,
        group.ami,
        group.volume,
        group.private_networking,
        tuple(tuple(sorted(one.capacity.items())) for one in group.candidates),
    )


def _pool_names(alike: dict[Hashable, list[NodeGroup]]) -> dict[Hashable, str]:
    """Return a name for each pool that stays when a zone is added: first type and capacity type.

    Pools of one such name (they differ in taints, labels or disk) get a digest of what makes them differ.
    """
    plain = {key: _plain_name(members[0]) for key, members in alike.items()}
    counted = list(plain.values())
    return {
        key: name if counted.count(name) == 1 else f"{name}-{_digest(alike[key][0])}"
        for key, name in plain.items()
    }


def _plain_name(group: NodeGroup) -> str:
    return f"{group.candidates[0].offering.instance_type.name}-{group.capacity_type}"


def _digest(group: NodeGroup) -> str:
    labels = sorted(item for item in group.labels.items() if item[0] not in _OWN_NAME)
    taints = sorted(map(str, group.taints))
    kind = (group.managed, labels, taints, group.ami, group.volume, group.private_networking)
    mix = (group.on_demand_base, group.on_demand_percent, group.max_spot_usd_per_hour)
    types = [one.offering.instance_type.name for one in group.candidates]
    text = repr((kind, mix, types, group.allocation_strategy, group.candidates[0].capacity))
    return f"{zlib.crc32(text.encode()):08x}"
