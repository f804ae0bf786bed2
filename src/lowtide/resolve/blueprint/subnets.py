"""In which subnets of an existing VPC a group's nodes are, and that there is one wherever a group wants to be.

In a VPC that lowtide makes, every zone of the cluster has one public and one private subnet, and templates find them by zone.
"""

from __future__ import annotations

from lowtide.model.blueprint import Network, Subnet
from lowtide.resolve.blueprint.scope import MISSING_SUBNET, Scope
from lowtide.spec.clusterconfig.cluster import GroupAt
from lowtide.spec.document import PathInFile


def subnet_ids(scope: Scope, at: GroupAt, network: Network) -> tuple[str, ...]:
    """Return the ids of the group's subnets; none in a VPC that is to be made."""
    if at.group.subnets:
        named = [
            _named(scope, at, (*at.path, "subnets", index), name)
            for index, name in enumerate(at.group.subnets)
        ]
        return tuple(dict.fromkeys(filter(None, named)))
    public = not at.group.private_networking
    mine = [one for one in network.subnets if one.public == public]
    zones = at.group.zones_or(scope.cluster.zones)
    for index, zone in enumerate(at.group.availability_zones):
        if network.subnets and all(one.zone != zone for one in mine):
            _refuse_zone(scope, (*at.path, "availabilityZones", index), zone, public=public)
    if network.subnets and not at.group.availability_zones and not mine:
        _refuse_zone(scope, at.path, "any zone", public=public)
    return tuple(one.id for one in _in_order(mine, zones) if one.id)


def _in_order(subnets: list[Subnet], zones: tuple[str, ...]) -> list[Subnet]:
    return [one for zone in dict.fromkeys(zones) for one in subnets if one.zone == zone]


def _named(scope: Scope, at: GroupAt, path: PathInFile, name: str) -> str:
    """Return the id of a subnet that the group names by its key in ``vpc.subnets`` or by its id."""
    given = scope.config.vpc.subnets
    kinds = (
        [given.private, given.public]
        if at.group.private_networking
        else [given.public, given.private]
    )
    for subnets in kinds:
        if name in subnets:
            return subnets[name].id
    if name.startswith("subnet-"):
        return name
    message = f"vpc.subnets has no {name!r}"
    scope.refuse(MISSING_SUBNET, message, path, "name a key of vpc.subnets, or a subnet's id")
    return ""


def _refuse_zone(scope: Scope, path: PathInFile, zone: str, *, public: bool) -> None:
    kind = "public" if public else "private"
    known = ", ".join(scope.cluster.zones)
    other = "true" if public else "false"
    message = f"the network has no {kind} subnet in {zone}; its zones are {known}"
    scope.refuse(
        MISSING_SUBNET, message, path, f"choose another zone, or privateNetworking: {other}"
    )
