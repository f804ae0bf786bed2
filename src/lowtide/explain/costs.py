"""What a run cost, split as people ask for it: GPU spot, GPU on demand, and everything around it.

Why it exists: one sum for every report, and its parts add up to it.

What it must not know: how the run came about.
"""

from __future__ import annotations

import math
from collections import defaultdict

from lowtide.explain import billing
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.names import SPOT
from lowtide.model.quantity import GIB
from lowtide.model.run import InstanceUsage, RunRecord
from lowtide.model.simulation import Cost


def cost_of(record: RunRecord, cluster: ResolvedCluster) -> Cost:
    """Return the USD of a run; ``total`` is the sum of the other fields.

    Raises:
        KeyError: an instance belongs to no group of the cluster.
    """
    groups = {group.name: group for group in cluster.node_groups}
    usd: defaultdict[str, list[float]] = defaultdict(list)
    for instance in record.instances:
        group = groups[instance.group]
        hours = billing.kept_seconds(instance, record.duration_ms) / 3600
        usd[_share(instance, group)].append(billing.ec2_usd(instance, record.duration_ms))
        usd["storage"].append(billing.volume_usd_per_hour(group) * hours)
        usd["network"].append(billing.address_usd_per_hour(group, cluster.network) * hours)
    usd["network"].append(_gateways_and_data_usd(record, cluster))
    usd["control_plane"].append(billing.control_plane_usd(cluster, record.duration_ms))
    parts = {
        name: math.fsum(usd[name])
        for name in (
            "gpu_spot",
            "gpu_on_demand",
            "general",
            "control_plane",
            "network",
            "storage",
        )
    }
    return Cost(total=math.fsum(parts.values()), **parts)


def _share(instance: InstanceUsage, group: NodeGroup) -> str:
    if not group.is_gpu:
        return "general"
    return "gpu_spot" if instance.capacity_type == SPOT else "gpu_on_demand"


def _gateways_and_data_usd(record: RunRecord, cluster: ResolvedCluster) -> float:
    network = cluster.network
    # The S3 gateway endpoint is free (VPC pricing): its path has no price.
    usd_per_gib = {"nat": network.nat_usd_per_gib, "cross-zone": network.cross_zone_usd_per_gib}
    data = math.fsum(one.bytes / GIB * usd_per_gib.get(one.path, 0.0) for one in record.transfers)
    hours = record.duration_ms / billing.MS_PER_HOUR
    return billing.gateways_usd_per_hour(network) * hours + data
