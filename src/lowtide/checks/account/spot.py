"""Spot: a price limit that the market is above, low placement scores, and the role that EC2 needs."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.checks.account.place import at_cluster, at_group
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.findings import Finding, Severity
from lowtide.model.names import ON_DEMAND

SPOT_LIMIT = ("LT607", "spot-limit")
SCARCE_SPOT = ("LT608", "scarce-spot")
NO_SPOT_ROLE = ("LT609", "no-spot-role")
#: The service whose role launches spot instances (EC2 user guide, "Service-linked role for Spot Instance requests").
SPOT_SERVICE = "spot.amazonaws.com"
_CREATE_ROLE = "iam:CreateServiceLinkedRole"
#: Scores go from 1 to 10, and 10 is no promise (EC2 user guide, "Spot placement score"); at 3 a request mostly fails.
_LOW_SCORE = 3


def dear_spot(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a warning for each group whose price limit is below the spot price of all its types in all its zones."""
    for group in cluster.node_groups:
        limit = group.max_spot_usd_per_hour
        prices = _prices(group, facts)
        if limit is None or group.capacity_type == ON_DEMAND or not prices:
            continue
        if min(prices) > limit:
            yield at_group(
                group,
                SPOT_LIMIT,
                Severity.WARNING,
                f"maxPrice is ${limit:.4f}, and the cheapest of its types costs ${min(prices):.4f} an hour on spot now",
                "raise instancesDistribution.maxPrice, or leave it out: the limit is the on-demand price then. "
                f"{_listing(group, facts.region)} lists the prices",
            )


def scarce_spot(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a note for each group with low spot placement scores in every zone."""
    groups = {one.name: one for one in cluster.node_groups}
    for score in facts.scores:
        best = max(score.by_zone.values(), default=_LOW_SCORE + 1)
        if best <= _LOW_SCORE:
            yield at_group(
                groups[score.group],
                SCARCE_SPOT,
                Severity.INFO,
                f"AWS scores the chance of {score.nodes} spot nodes at once with {best} of 10 at best",
                "add instance types or zones",
            )


def spot_role(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a note where the first spot request has to make its role, a warning where the caller may not make it."""
    if not cluster.uses_spot or facts.service_roles.get(SPOT_SERVICE, True):
        return
    denied = any(one.action == _CREATE_ROLE for one in facts.denied)
    yield at_cluster(
        cluster,
        NO_SPOT_ROLE,
        Severity.WARNING if denied else Severity.INFO,
        "the account has no service-linked role for spot yet; "
        + ("this caller may not create one" if denied else "AWS creates it with the first request"),
        f"aws iam create-service-linked-role --aws-service-name {SPOT_SERVICE}",
    )


def _prices(group: NodeGroup, facts: AccountFacts) -> list[float]:
    return [
        usd
        for one in group.candidates
        for zone, usd in facts.spot_usd.get(one.offering.instance_type.name, {}).items()
        if zone in group.zones
    ]


def _listing(group: NodeGroup, region: str) -> str:
    types = sorted({one.offering.instance_type.name for one in group.candidates})
    return (
        f"aws ec2 describe-spot-price-history --instance-types {' '.join(types)} "
        f"--product-descriptions Linux/UNIX --start-time $(date -u +%FT%TZ) --region {region}"
    )
