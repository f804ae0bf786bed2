"""Zones of a group: by name, by its subnets, or those of the cluster in which the network has a subnet for it."""

from __future__ import annotations

from lowtide.spec.clusterconfig.cluster import ClusterConfig, GroupAt


def group_zones(
    config: ClusterConfig, at: GroupAt, cluster_zones: tuple[str, ...]
) -> tuple[str, ...]:
    """Return where a group may launch.

    In a network that exists, a group that names no zone is where the file has a subnet of its kind, private or public.
    """
    if at.group.subnets:
        known = config.vpc.subnets
        by_name: dict[str, str] = {}
        for key, subnet in (*known.public.items(), *known.private.items()):
            zone = subnet.az or key
            by_name[key] = by_name[subnet.id] = zone
        found = [by_name[one] for one in at.group.subnets if one in by_name]
        if found:
            return tuple(dict.fromkeys(found))
    if at.group.availability_zones:
        return tuple(dict.fromkeys(at.group.availability_zones))
    return _with_subnet(config, at, cluster_zones) or tuple(dict.fromkeys(cluster_zones))


def _with_subnet(
    config: ClusterConfig, at: GroupAt, cluster_zones: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the zones with a subnet for the group; none in a network that is to be made."""
    known = config.vpc.subnets
    mine = known.private if at.group.private_networking else known.public
    held = {subnet.az or key for key, subnet in mine.items()}
    return tuple(one for one in dict.fromkeys(cluster_zones) if one in held)
