"""Zones: those that do not sell a group's types, and those that the account cannot use at all."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.checks.account.place import at_group
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity

TYPE_NOT_OFFERED = ("LT603", "type-not-offered")
FOREIGN_ZONE = ("LT604", "foreign-zone")


def types_not_offered(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a finding for each zone of a group that sells not all of its types."""
    for group in cluster.node_groups:
        types = [one.offering.instance_type.name for one in group.candidates]
        known = [name for name in types if name in facts.offered]
        for zone in group.zones:
            if facts.zones and zone not in facts.zones:
                continue
            missing = [name for name in known if zone not in facts.offered[name]]
            if not missing:
                continue
            nothing = len(missing) == len(types)
            zones = sorted({place for name in missing for place in facts.offered[name]})
            sold = f"{facts.region} sells it in {', '.join(zones)}" if zones else "no zone sells it"
            yield at_group(
                group,
                TYPE_NOT_OFFERED,
                Severity.ERROR if nothing else Severity.WARNING,
                f"{zone} does not sell {', '.join(missing)}, {'which is all' if nothing else 'a part'} of what it may launch there",
                f"{sold}; take another zone or type. aws ec2 describe-instance-type-offerings --location-type availability-zone "
                f"--filters Name=instance-type,Values={','.join(missing)} --region {facts.region}",
            )


def foreign_zones(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a finding for each zone of a group that is none of the account's."""
    if not facts.zones:
        return
    for group in cluster.node_groups:
        strange = [zone for zone in group.zones if zone not in facts.zones]
        if strange:
            yield at_group(
                group,
                FOREIGN_ZONE,
                Severity.ERROR,
                f"{', '.join(strange)}: the account has {', '.join(facts.zones)}",
                f"write one of these into availabilityZones; aws ec2 describe-availability-zones --region {facts.region}",
            )
