"""What the network of the cluster costs; NAT gateways as the file says, none where nothing would use them."""

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
        s3_gateway_endpoint=makes_network(config),
    )


def makes_network(config: ClusterConfig) -> bool:
    """Return whether the VPC is made with the cluster; one that exists stays as it is."""
    return not (config.vpc.id or config.vpc.subnets.zones)


def nat_gateways(config: ClusterConfig, zones: tuple[str, ...]) -> int:
    """Return how many NAT gateways are made."""
    return len(nat_zones(config, zones))


def nat_zones(config: ClusterConfig, zones: tuple[str, ...]) -> tuple[str, ...]:
    """Return the zones that get a NAT gateway.

    None in a network that exists, and none where no node is private: the control plane needs none, and eksctl builds one all the same.
    """
    if not needs_nat(config):
        return ()
    return asked_nat_zones(config, zones)


def needs_nat(config: ClusterConfig) -> bool:
    """Return whether any node has its way out through a NAT gateway."""
    return any(at.group.private_networking for at in config.all_groups)


def asked_nat_zones(config: ClusterConfig, zones: tuple[str, ...]) -> tuple[str, ...]:
    """Return the zones in which eksctl would build a NAT gateway for this file."""
    if not makes_network(config):
        return ()
    return {"Single": zones[:1], "HighlyAvailable": zones, "Disable": ()}[config.vpc.nat.gateway]
