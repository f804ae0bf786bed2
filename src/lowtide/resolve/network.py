"""What the network of the cluster costs, NAT gateways as the file says."""

from __future__ import annotations

from lowtide import catalog
from lowtide.model.cluster import NetworkPrices
from lowtide.spec.clusterconfig.cluster import ClusterConfig


def network_prices(config: ClusterConfig, zones: tuple[str, ...]) -> NetworkPrices:
    """Return the prices with the number of NAT gateways that the file leads to."""
    usd = catalog.service_prices()
    return NetworkPrices(
        nat_gateways=nat_gateways(config, zones),
        nat_usd_per_hour=usd["nat-gateway"],
        nat_usd_per_gib=usd["nat-data"],
        cross_zone_usd_per_gib=usd["cross-zone-data"],
        public_ipv4_usd_per_hour=usd["public-ipv4"],
        s3_gateway_endpoint=True,
    )


def nat_gateways(config: ClusterConfig, zones: tuple[str, ...]) -> int:
    """Return how many are made: one, one for each zone, or none; none either in a network that exists already."""
    if config.vpc.id or config.vpc.subnets.zones:
        return 0
    return {"Single": 1, "HighlyAvailable": len(zones), "Disable": 0}[config.vpc.nat.gateway]
