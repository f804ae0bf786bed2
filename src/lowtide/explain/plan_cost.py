"""What a cluster will cost before it exists: idle, at its largest, and per GPU-hour.

Why it exists: whoever creates a cluster wants three figures first: what it costs while nobody uses it, the most it can cost, and
what a GPU-hour is. They come from the same rules of AWS's bill as a simulation's total.

What it must not know: templates, accounts, and the clock; the day is told.
"""

from __future__ import annotations

import datetime as dt
import math

from lowtide.explain import billing
from lowtide.explain.rates import around_usd_per_hour, fixed_usd_per_hour
from lowtide.model.catalog import Offering
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.plan import GpuPrice, GroupCost, PlanCost, SupportLeft


def plan_cost(cluster: ResolvedCluster) -> PlanCost:
    """Return what the cluster costs per hour, idle and at its largest."""
    groups = tuple(_group_cost(cluster, group) for group in cluster.node_groups)
    fixed = fixed_usd_per_hour(cluster)
    return PlanCost(
        control_plane_usd_per_hour=cluster.control_plane_usd_per_hour,
        gateways_usd_per_hour=billing.gateways_usd_per_hour(cluster.network),
        nodes_usd_per_hour=math.fsum(one.at_minimum_usd_per_hour for one in groups),
        worst_case_usd_per_hour=fixed + math.fsum(one.worst_case_usd_per_hour for one in groups),
        ceiling_usd_per_hour=fixed + math.fsum(one.ceiling_usd_per_hour for one in groups),
        hours_per_month=billing.HOURS_PER_MONTH,
        groups=groups,
        gpu_prices=gpu_prices(cluster),
    )


def gpu_prices(cluster: ResolvedCluster) -> tuple[GpuPrice, ...]:
    """Return the price per GPU-hour of every type that the cluster's groups may launch, in the file's order."""
    offerings = {
        one.offering.instance_type.name: one.offering
        for group in cluster.node_groups
        for one in group.candidates
        if one.offering.instance_type.nvidia_gpus
    }
    return tuple(_gpu_price(one) for one in offerings.values())


def support_left(
    version: str, *, until: str | None, support_type: str, today: dt.date
) -> SupportLeft:
    """Return the days of standard support that a Kubernetes minor has left, and what happens then.

    Args:
        version: the minor.
        until: the last day of standard support (ISO 8601), None where EKS had not published it.
        support_type: ``STANDARD`` or ``EXTENDED``, as upgradePolicy says.
        today: the day to count from.
    """
    then = (
        "AWS bills extended support, six times the price of the control plane"
        if support_type == "EXTENDED"
        else "AWS upgrades the control plane by itself; install the autoscaler of the next minor before"
    )
    days = None if until is None else (dt.date.fromisoformat(until) - today).days
    return SupportLeft(version=version, until=until or "", days_left=days, then=then)


def _group_cost(cluster: ResolvedCluster, group: NodeGroup) -> GroupCost:
    around = around_usd_per_hour(group, cluster.network)
    offerings = [one.offering for one in group.candidates]

    def nodes_usd(nodes: int, on_demand_price: float, spot_price: float) -> float:
        on_demand, spot = group.bought(nodes)
        return on_demand * on_demand_price + spot * spot_price + nodes * around

    dearest = max(map(_on_demand, offerings))
    return GroupCost(
        name=group.name,
        # What the group launches first: on-demand in the file's order, spot the cheapest.
        at_minimum_usd_per_hour=nodes_usd(
            group.min_size, _on_demand(offerings[0]), min(map(_spot, offerings))
        ),
        worst_case_usd_per_hour=nodes_usd(group.max_size, dearest, max(map(_spot, offerings))),
        ceiling_usd_per_hour=nodes_usd(
            group.max_size, dearest, group.max_spot_usd_per_hour or dearest
        ),
    )


def _on_demand(offering: Offering) -> float:
    return offering.on_demand_usd_per_hour


def _spot(offering: Offering) -> float:
    """Return the spot price; a type without one is only launched on demand, at that price."""
    known = offering.spot_usd_per_hour
    return offering.on_demand_usd_per_hour if known is None else known


def _gpu_price(offering: Offering) -> GpuPrice:
    one = offering.instance_type
    spot = offering.spot_usd_per_hour
    assert one.gpu is not None
    return GpuPrice(
        instance_type=one.name,
        gpu=one.gpu.model,
        gpus=one.nvidia_gpus,
        spot_usd_per_gpu_hour=None if spot is None else spot / one.nvidia_gpus,
        on_demand_usd_per_gpu_hour=offering.on_demand_usd_per_hour / one.nvidia_gpus,
    )
