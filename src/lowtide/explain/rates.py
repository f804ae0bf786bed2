"""What the whole cluster costs per hour at each moment of a run.

Why it exists: the twin knows which instances exist, not what a volume, an address or a gateway
costs. Its timeline gets its prices here.

What it must not know: how the timeline is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lowtide.explain import billing
from lowtide.explain.sweep import NANO, Span, timeline_of
from lowtide.model.cluster import NetworkPrices, NodeGroup, ResolvedCluster
from lowtide.model.run import InstanceUsage, RunRecord, StateRow


def fixed_usd_per_hour(cluster: ResolvedCluster) -> float:
    """Return what the cluster costs without any node, in USD per hour."""
    gateways = billing.gateways_usd_per_hour(cluster.network)
    return cluster.control_plane_usd_per_hour + gateways


def node_usd_per_hour(instance: InstanceUsage, group: NodeGroup, network: NetworkPrices) -> float:
    """Return what one node costs with its volume and its public address, in USD per hour."""
    around = billing.volume_usd_per_hour(group) + billing.address_usd_per_hour(group, network)
    return instance.usd_per_hour + around


def span_of(instance: InstanceUsage, duration_ms: int, usd_per_hour: float = 0.0) -> Span:
    """Return when an instance exists; one that outlives the run still exists at its last moment."""
    end_ms = duration_ms + 1 if instance.ended_ms is None else instance.ended_ms
    return Span(instance.launched_ms, end_ms, usd_per_hour)


def priced_states(record: RunRecord, cluster: ResolvedCluster) -> tuple[StateRow, ...]:
    """Return the run's states, each with what the cluster costs per hour from that moment on.

    Data by the GB is no rate and is left to the total.

    Raises:
        KeyError: an instance belongs to no group of the cluster.
    """
    nodes = timeline_of(_node_spans(record, cluster))
    fixed = fixed_usd_per_hour(cluster)
    return tuple(
        replace(row, usd_per_hour=fixed + nodes.at(row.at_ms).nano_usd_per_hour / NANO)
        for row in record.states
    )


def _node_spans(record: RunRecord, cluster: ResolvedCluster) -> Iterable[Span]:
    groups = {group.name: group for group in cluster.node_groups}
    for instance in record.instances:
        usd_per_hour = node_usd_per_hour(instance, groups[instance.group], cluster.network)
        yield span_of(instance, record.duration_ms, usd_per_hour)
