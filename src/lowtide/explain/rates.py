"""What the whole cluster costs per hour at each moment of a run.

Why it exists: the twin knows which instances exist, not what a volume, an address or a gateway
costs. Its timeline gets its prices here.

What it must not know: how the timeline is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from lowtide.explain import billing
from lowtide.explain.sweep import NANO, Span, timeline_of
from lowtide.model.cluster import NetworkPrices, NodeGroup, ResolvedCluster

if TYPE_CHECKING:
    from lowtide.model.run import InstanceUsage, RunRecord, StateRow  # a plan has no run


def fixed_usd_per_hour(cluster: ResolvedCluster) -> float:
    """Return what the cluster costs without any node, in USD per hour."""
    gateways = billing.gateways_usd_per_hour(cluster.network)
    return cluster.control_plane_usd_per_hour + gateways


def around_usd_per_hour(group: NodeGroup, network: NetworkPrices) -> float:
    """Return what a node of the group costs beside its instance, in USD per hour: volume and public address."""
    return billing.volume_usd_per_hour(group) + billing.address_usd_per_hour(group, network)


def span_of(instance: InstanceUsage, duration_ms: int, usd_per_hour: float = 0.0) -> Span:
    """Return when an instance exists; one that outlives the run still exists at its last moment."""
    return _span(instance.launched_ms, instance.ended_ms, duration_ms, usd_per_hour)


def metered_span_of(instance: InstanceUsage, duration_ms: int, usd_per_hour: float = 0.0) -> Span:
    """Return when EC2 charges for an instance; one that outlives the run still costs at its last moment."""
    return _span(instance.launched_ms, instance.metered_until_ms, duration_ms, usd_per_hour)


def _span(start_ms: int, end_ms: int | None, duration_ms: int, usd_per_hour: float) -> Span:
    return Span(start_ms, duration_ms + 1 if end_ms is None else end_ms, usd_per_hour)


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
        around = around_usd_per_hour(groups[instance.group], cluster.network)
        yield metered_span_of(instance, record.duration_ms, instance.usd_per_hour)
        yield span_of(instance, record.duration_ms, around)
