"""What a launch buys: on-demand or spot, and which instance type.

Why it exists: the mix decides the bill. Rules of the EC2 Auto Scaling user guide, "Auto Scaling
groups with multiple instance types and purchase options".
"""

from __future__ import annotations

from lowtide.cloud.groups import GroupConfig, GroupState, Offer
from lowtide.model.asg import Lifecycle
from lowtide.model.names import ON_DEMAND, SPOT


def capacity_type(group: GroupState) -> str:
    """Return what the next launch of the group is bought as.

    The on-demand base is filled first; of what is above it the percentage is on-demand, rounded up
    in favour of on-demand (user guide, "Instances distribution").
    """
    config = group.config
    if config.on_demand_percent >= 100:
        return ON_DEMAND
    if config.on_demand_base == 0 and config.on_demand_percent == 0:
        return SPOT
    held = [one.capacity_type for one in group.launches]
    held.extend(
        one.capacity_type for one in group.instances if one.lifecycle is not Lifecycle.TERMINATING
    )
    total = len(held) + 1
    above = max(0, total - config.on_demand_base)
    wanted = min(total, config.on_demand_base) + -(-above * config.on_demand_percent // 100)
    return ON_DEMAND if held.count(ON_DEMAND) < wanted else SPOT


def instance_type(config: GroupConfig, bought_as: str) -> str | None:
    """Return the type to launch, None when spot is not to be had at the group's highest price."""
    return next(iter(instance_types(config, bought_as)), None)


def instance_types(config: GroupConfig, bought_as: str) -> tuple[str, ...]:
    """Return the types to try one after the other in a zone; none when spot is too dear for the group.

    Without one the on-demand price of each type is the limit (EC2 Auto Scaling API, InstancesDistribution, SpotMaxPrice).

    On-demand keeps the file's order ("prioritized", the default) or begins with the cheapest ("lowest-price"). Spot
    begins with the cheapest, ties going to the file's order: how deep a pool is is not known before EC2 refuses, so the
    capacity-optimized strategies are treated as the price strategies are; ``capacity-optimized-prioritized`` keeps the
    file's order.
    """
    offers = list(config.offers)
    if bought_as == ON_DEMAND:
        if config.on_demand_strategy == "lowest-price":
            offers.sort(key=_on_demand_price)
    else:
        offers = [one for one in offers if _is_affordable(one, config)]
        if config.allocation_strategy != "capacity-optimized-prioritized":
            offers.sort(key=_spot_price)
    return tuple(one.instance_type for one in offers)


def usd_per_hour(config: GroupConfig, bought_as: str, type_name: str) -> float:
    """Return the price of an instance of the group in USD per hour."""
    offer = next(one for one in config.offers if one.instance_type == type_name)
    return offer.on_demand_usd_per_hour if bought_as == ON_DEMAND else _spot_price(offer)


def _is_affordable(offer: Offer, config: GroupConfig) -> bool:
    limit = config.max_spot_usd_per_hour
    if limit is None:
        limit = offer.on_demand_usd_per_hour
    return offer.spot_usd_per_hour is not None and offer.spot_usd_per_hour <= limit


def _on_demand_price(offer: Offer) -> float:
    return offer.on_demand_usd_per_hour


def _spot_price(offer: Offer) -> float:
    return offer.spot_usd_per_hour if offer.spot_usd_per_hour is not None else 0.0
