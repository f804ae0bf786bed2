"""The VPC to be made, split as eksctl splits it, or the one that exists.

Source of the split: eksctl's pkg/vpc/vpc.go (SetSubnets): eight blocks of the VPC for up to four zones, sixteen for up to eight, the
first ones public, the next ones private.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from lowtide import catalog
from lowtide.model.blueprint import Network, Subnet
from lowtide.resolve.blueprint.scope import NEEDS_AN_ACCOUNT, WRONG_NETWORK, Scope
from lowtide.resolve.network import makes_network, nat_zones
from lowtide.spec.clusterconfig.network import Subnet as GivenSubnet
from lowtide.spec.document import PathInFile

_MOST_ZONES = 8


def network(scope: Scope) -> Network:
    """Return the network; NAT gateways as the file says, none where nothing would use them."""
    vpc = scope.config.vpc
    exists = not makes_network(scope.config)
    return Network(
        cidr=_cidr(scope, exists=exists),
        vpc_id=vpc.id,
        extra_cidrs=tuple(_extra_cidrs(scope)),
        subnets=tuple(_given_subnets(scope) if exists else _new_subnets(scope)),
        nat_zones=nat_zones(scope.config, scope.cluster.zones),
        security_group=vpc.security_group,
        control_plane_security_groups=vpc.control_plane_security_group_ids,
        control_plane_subnets=vpc.control_plane_subnet_ids,
        control_plane_on_private_subnets=vpc.control_plane_on_private_subnets,
        shared_node_security_group=vpc.shared_node_security_group,
        manage_shared_rules=vpc.manage_shared_node_security_group_rules,
    )


def ipv4(scope: Scope, cidr: str, path: PathInFile) -> ipaddress.IPv4Network | None:
    """Return a CIDR without host bits; None, and a finding, where it is not IPv4."""
    found = ipaddress.ip_network(cidr, strict=False)
    if isinstance(found, ipaddress.IPv4Network):
        return found
    scope.refuse(WRONG_NETWORK, f"{cidr} is not IPv4", path, "write a CIDR such as 10.0.0.0/16")
    return None


def _cidr(scope: Scope, *, exists: bool) -> str:
    vpc = scope.config.vpc
    if exists and "cidr" not in vpc.model_fields_set:
        return ""
    found = ipv4(scope, vpc.cidr, ("vpc", "cidr"))
    return str(found) if found else ""


def _extra_cidrs(scope: Scope) -> Iterator[str]:
    for index, cidr in enumerate(scope.config.vpc.extra_cidrs):
        found = ipv4(scope, cidr, ("vpc", "extraCIDRs", index))
        if found:
            yield str(found)


def _new_subnets(scope: Scope) -> Iterator[Subnet]:
    zones = scope.cluster.zones
    whole = ipaddress.ip_network(scope.config.vpc.cidr, strict=False)
    if len(zones) > _MOST_ZONES:
        message = f"{len(zones)} zones need more subnets than the 16 into which a VPC is split"
        scope.refuse(WRONG_NETWORK, message, ("availabilityZones",), "name at most 8 zones")
        return
    blocks = whole.subnets(prefixlen_diff=3 if len(zones) <= _MOST_ZONES // 2 else 4)
    for public in (True, False):
        for zone in zones:
            yield Subnet(zone=zone, public=public, cidr=str(next(blocks)))


def _given_subnets(scope: Scope) -> Iterator[Subnet]:
    vpc = scope.config.vpc
    if not vpc.id:
        message = "vpc.subnets are those of a VPC that exists, and only the account knows which"
        scope.refuse(NEEDS_AN_ACCOUNT, message, ("vpc",), "add vpc.id")
    if not vpc.subnets.zones:
        message = f"{vpc.id} has subnets that only the account knows"
        fix = "add vpc.subnets.public and vpc.subnets.private with az and id"
        scope.refuse(NEEDS_AN_ACCOUNT, message, ("vpc", "id"), fix)
    yield from _given(scope, "public", vpc.subnets.public)
    yield from _given(scope, "private", vpc.subnets.private)


def _given(scope: Scope, kind: str, subnets: Mapping[str, GivenSubnet]) -> Iterator[Subnet]:
    for key, one in subnets.items():
        at = ("vpc", "subnets", kind, key)
        zone = one.az or key
        if not catalog.is_zone_of(zone, scope.config.region):
            fix = f"add az, for instance {scope.config.region}a"
            scope.refuse(NEEDS_AN_ACCOUNT, f"the zone of subnet {key} is not written", at, fix)
        if not one.id:
            message = f"the id of subnet {key} is not written, and only the account knows it"
            scope.refuse(NEEDS_AN_ACCOUNT, message, at, "add id: subnet-...")
        yield Subnet(
            zone=zone, public=kind == "public", id=one.id, cidr="" if one.id else one.cidr or ""
        )
