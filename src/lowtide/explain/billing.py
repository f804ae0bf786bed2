"""How AWS bills one node: its instance, its root volume, its public address.

Why it exists: each rule of AWS's bill stands in one place with its source, so that a total, a
rate in a timeline and a plan cannot disagree.

What it must not know: records, reports, and where prices come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lowtide.model.cluster import NetworkPrices, NodeGroup, ResolvedCluster
from lowtide.model.names import SPOT

if TYPE_CHECKING:
    from lowtide.model.run import InstanceUsage  # a plan has no run

MINIMUM_S: Final = 60
"""Linux instances are billed by the second, one minute at least (aws.amazon.com/ec2/pricing/on-demand);
EBS volumes likewise (aws.amazon.com/ebs/pricing). The instance's public address follows it here."""

FREE_INTERRUPTION_S: Final = 3600
"""A Linux spot instance that EC2 takes back within its first hour costs nothing (EC2 User Guide,
"Billing for interrupted Spot Instances"). Its volume and its address are billed all the same."""

HOURS_PER_MONTH: Final = 30 * 24
"""Volumes are priced by the month; the examples of aws.amazon.com/ebs/pricing divide by 30 days."""

MS_PER_HOUR: Final = 3_600_000


def paid_seconds(instance: InstanceUsage, duration_ms: int) -> int:
    """Return the seconds of an instance that EC2 meters until the end of a run of that duration.

    Metering ends when the instance begins to shut down. A second begun is a second paid. The free first hour of
    interrupted spot instances is not taken off: it changes the price of those seconds, not their number.
    """
    return _seconds(instance.launched_ms, instance.metered_until_ms, duration_ms)


def kept_seconds(instance: InstanceUsage, duration_ms: int) -> int:
    """Return the seconds for which the instance's volume and its address are paid: until it is gone."""
    return _seconds(instance.launched_ms, instance.ended_ms, duration_ms)


def _seconds(launched_ms: int, ended_ms: int | None, duration_ms: int) -> int:
    until_ms = duration_ms if ended_ms is None else min(ended_ms, duration_ms)
    return max(MINIMUM_S, -((launched_ms - until_ms) // 1000))


def ec2_usd(instance: InstanceUsage, duration_ms: int) -> float:
    """Return what EC2 charges for an instance in a run of that duration, in USD."""
    seconds = paid_seconds(instance, duration_ms)
    was_taken_back = instance.interrupted and instance.ended_ms is not None
    if was_taken_back and instance.capacity_type == SPOT and seconds < FREE_INTERRUPTION_S:
        return 0.0
    return instance.usd_per_hour * seconds / 3600


def volume_usd_per_hour(group: NodeGroup) -> float:
    """Return what the root volume of one node of the group costs, in USD per hour."""
    return group.volume.usd_per_month / HOURS_PER_MONTH


def address_usd_per_hour(group: NodeGroup, network: NetworkPrices) -> float:
    """Return what the public IPv4 address of one node costs, in USD per hour; 0 on private nodes."""
    return 0.0 if group.private_networking else network.public_ipv4_usd_per_hour


def control_plane_usd(cluster: ResolvedCluster, duration_ms: int) -> float:
    """Return what the EKS control plane costs over the run, in USD."""
    return cluster.control_plane_usd_per_hour * duration_ms / MS_PER_HOUR


def gateways_usd_per_hour(network: NetworkPrices) -> float:
    """Return what the NAT gateways cost, each with its public address, in USD per hour.

    AWS rounds the hours of a gateway up when it is deleted (aws.amazon.com/vpc/pricing). A run is a
    window on a cluster that was there before and stays, so its share of the hours is exact.
    """
    return network.nat_gateways * (network.nat_usd_per_hour + network.public_ipv4_usd_per_hour)
