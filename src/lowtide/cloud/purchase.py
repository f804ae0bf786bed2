"""What a launch buys: on-demand or spot, and which instance type.

Why it exists: the mix decides the bill. Rules of the EC2 Auto Scaling user guide, "Auto Scaling
groups with multiple instance types and purchase options".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lowtide.cloud.groups import GroupConfig, GroupState, Launch, Offer
from lowtide.model.asg import Instance, Lifecycle
from lowtide.model.names import ON_DEMAND, SPOT

#: From this depth on (1 to 10) price decides under ``price-capacity-optimized``; AWS does not publish its own bound.
DEEP = 3


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
    held = _held(group)
    bought = config.units(one for one in held if one.capacity_type == ON_DEMAND)
    return ON_DEMAND if bought < _on_demand_share(config, config.units(held) + 1) else SPOT


def surplus_type(group: GroupState) -> str:
    """Return what a group that shrinks by one has too much of: the other one stays at its share."""
    config = group.config
    held = _held(group)
    bought = config.units(one for one in held if one.capacity_type == ON_DEMAND)
    share = _on_demand_share(config, max(0, config.units(held) - 1))
    return ON_DEMAND if bought > share else SPOT


def _held(group: GroupState) -> list[Instance | Launch]:
    held: list[Instance | Launch] = list(group.launches)
    held += [one for one in group.instances if one.lifecycle is not Lifecycle.TERMINATING]
    return held


def _on_demand_share(config: GroupConfig, total: int) -> int:
    above = max(0, total - config.on_demand_base)
    return min(total, config.on_demand_base) + -(-above * config.on_demand_percent // 100)


def instance_type(config: GroupConfig, bought_as: str) -> str | None:
    """Return the type to launch, None when spot is not to be had at the group's highest price."""
    return next(iter(instance_types(config, bought_as)), None)


def instance_types(config: GroupConfig, bought_as: str) -> tuple[str, ...]:
    """Return the types to try one after the other in a zone; none when spot is too dear for the group.

    Without one the on-demand price of each type is the limit (EC2 Auto Scaling API, InstancesDistribution, SpotMaxPrice).

    On-demand keeps the file's order ("prioritized", the default) or begins with the cheapest ("lowest-price"). Spot
    begins with the cheapest per unit of capacity, ties going to the file's order. The capacity strategies begin with the
    deepest pools (``price-capacity-optimized`` with the cheapest of the deep ones) where depths are known; where EC2 alone
    knows them, they are treated as the price strategies are, and ``capacity-optimized-prioritized`` keeps the file's order.
    """
    offers = list(config.offers)
    if bought_as == ON_DEMAND:
        if config.on_demand_strategy == "lowest-price":
            offers.sort(key=_on_demand_price_per_unit)
    else:
        offers = [one for one in offers if _is_affordable(one, config)]
        if config.allocation_strategy != "capacity-optimized-prioritized":
            offers.sort(key=_spot_price_per_unit)
        if config.allocation_strategy != "lowest-price":
            offers.sort(key=partial(_shallowness, config.allocation_strategy))
    return tuple(one.instance_type for one in offers)


def spread(group: GroupState, bought_as: str, zone: str, types: Sequence[str]) -> str | None:
    """Return which of the types, best first, is launched in the zone: spot at the lowest price goes round its pools.

    That is SpotInstancePools (API reference, InstancesDistribution); None when there is no type.
    """
    config = group.config
    pools = types[: config.spot_pools]
    if bought_as != SPOT or config.allocation_strategy != "lowest-price" or len(pools) < 2:
        return types[0] if types else None
    held = [one.instance_type for one in group.launches if one.zone == zone]
    held += [
        one.instance_type
        for one in group.instances
        if one.zone == zone and one.lifecycle is not Lifecycle.TERMINATING
    ]
    return min(pools, key=held.count)


def usd_per_hour(config: GroupConfig, bought_as: str, type_name: str) -> float:
    """Return the price of an instance of the group in USD per hour."""
    offer = next(one for one in config.offers if one.instance_type == type_name)
    return offer.on_demand_usd_per_hour if bought_as == ON_DEMAND else _spot_price(offer)


def _is_affordable(offer: Offer, config: GroupConfig) -> bool:
    limit = config.max_spot_usd_per_hour
    if limit is None:
        limit = offer.on_demand_usd_per_hour
    return offer.spot_usd_per_hour is not None and offer.spot_usd_per_hour <= limit


def _on_demand_price_per_unit(offer: Offer) -> float:
    return offer.on_demand_usd_per_hour / offer.weight


def _spot_price_per_unit(offer: Offer) -> float:
    return _spot_price(offer) / offer.weight


def _shallowness(strategy: str, offer: Offer) -> int:
    """Return 0 for the pools to take first, more for others."""
    if offer.spot_depth is None:
        return 0
    if strategy == "price-capacity-optimized":
        return 0 if offer.spot_depth >= DEEP else 1
    return -offer.spot_depth


def _spot_price(offer: Offer) -> float:
    return offer.spot_usd_per_hour if offer.spot_usd_per_hour is not None else 0.0
