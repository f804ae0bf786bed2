"""Zones of a group, by name, by its subnets, or those of the cluster."""

from __future__ import annotations

from lowtide.spec.clusterconfig.cluster import ClusterConfig, GroupAt


def group_zones(
    config: ClusterConfig, at: GroupAt, cluster_zones: tuple[str, ...]
) -> tuple[str, ...]:
    """Return where a group may launch: its own zones, those of its subnets, or the cluster's."""
    if at.group.subnets:
        known = config.vpc.subnets
        by_name: dict[str, str] = {}
        for key, subnet in (*known.public.items(), *known.private.items()):
            zone = subnet.az or key
            by_name[key] = by_name[subnet.id] = zone
        found = [by_name[one] for one in at.group.subnets if one in by_name]
        if found:
            return tuple(dict.fromkeys(found))
    return tuple(dict.fromkeys(at.group.zones_or(cluster_zones)))
