"""What a live cluster can cost by the sizes of its groups, without its file.

Why it exists: bounds of a live group may differ from the file, or there is none; what they allow is priced from what AWS shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from lowtide import catalog
from lowtide.model.catalog import FreshPrices
from lowtide.model.errors import InputError
from lowtide.model.node_groups import SeenGroup

_CONTROL_PLANE = "control-plane"


def control_plane_usd(version: str) -> float:
    """Return what EKS bills an hour for a cluster of that minor, at the standard price where the catalog does not know the minor."""
    try:
        known = catalog.kubernetes_version(version)
    except InputError:
        return catalog.service_prices()[_CONTROL_PLANE]
    return catalog.control_plane_usd_per_hour(known, "STANDARD")


def instances_usd(region: str, group: SeenGroup, nodes: int, fresh: FreshPrices) -> float | None:
    """Return what that many instances of a group cost an hour at its dearest type, None where a price is not known."""
    if not nodes:
        return 0.0
    try:
        offers = [catalog.offering(name, region, fresh=fresh) for name in group.types]
    except InputError:
        return None
    if not offers:
        return None
    on_demand, spot = group.bought(nodes)
    dearest = max(one.on_demand_usd_per_hour for one in offers)
    traded = max(
        one.on_demand_usd_per_hour if one.spot_usd_per_hour is None else one.spot_usd_per_hour
        for one in offers
    )
    return on_demand * dearest + spot * traded


def total_usd(parts: Iterable[float | None]) -> float | None:
    """Return the sum, None where a part is not known."""
    known = list(parts)
    return None if None in known else math.fsum(one for one in known if one is not None)
