"""Checks of a cluster against an account: what would stop or surprise its creation there.

Why it exists: a quota of 0, a type that a zone does not sell or a name that is taken shows up twenty minutes after `up` began. Here each is a
finding with the blocker, the number, and the command that helps.

LT601 denied-permission    an action of `up` (error) or of `down` (warning) that the caller may not do
LT602 small-quota          a vCPU quota below one node (error) or below the maximum sizes (warning)
LT603 type-not-offered     a zone that sells none of a group's types (error) or lacks some (warning)
LT604 foreign-zone         a zone that the account cannot use
LT605 unoffered-version    a Kubernetes minor that EKS does not offer (error), or at the price of extended support (warning)
LT606 name-taken           a cluster or stack of that name which lowtide did not make
LT607 spot-limit           a maxPrice below the spot price of every zone (warning)
LT608 scarce-spot          a low spot placement score (note)
LT609 no-spot-role         no service-linked role for spot yet (note), and no right to make one (warning)
LT610 not-verified         a fact that could not be read (warning)
LT611 unreachable-version  the cluster is there, and EKS does not go from its minor to the file's in one step
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lowtide.checks.account.names_taken import names_taken
from lowtide.checks.account.offers import foreign_zones, types_not_offered
from lowtide.checks.account.permissions import denied_permissions, not_verified
from lowtide.checks.account.quotas import quota_needs, small_quotas
from lowtide.checks.account.spot import dear_spot, scarce_spot, spot_role
from lowtide.checks.account.version import unoffered_version, unreachable_version
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding

__all__ = ["account_findings", "change_findings", "quota_needs"]

_CHECKS = (
    denied_permissions,
    small_quotas,
    types_not_offered,
    foreign_zones,
    unoffered_version,
    unreachable_version,
    names_taken,
    dear_spot,
    scarce_spot,
    spot_role,
    not_verified,
)
#: Those that look at node groups alone, without that of quotas.
_OF_GROUPS = (types_not_offered, foreign_zones, dear_spot, scarce_spot, spot_role, not_verified)


def account_findings(cluster: ResolvedCluster, facts: AccountFacts) -> tuple[Finding, ...]:
    """Return everything that the account has against the cluster."""
    return tuple(one for check in _CHECKS for one in check(cluster, facts))


def change_findings(
    cluster: ResolvedCluster,
    facts: AccountFacts,
    *,
    made: Collection[str],
    changed: Collection[str],
) -> tuple[Finding, ...]:
    """Return what the account has against node groups of a cluster that is there.

    Args:
        cluster: the whole, as all its groups share the quotas.
        facts: with the quotas of these groups alone.
        made: names of the groups that are new.
        changed: names of those that are there and change.
    """
    groups = tuple(one for one in cluster.node_groups if one.name in {*made, *changed})
    part = replace(cluster, node_groups=groups)
    living = [one.name for one in cluster.node_groups if one.name not in made]
    return (
        *small_quotas(cluster, facts, living=living),
        *(one for check in _OF_GROUPS for one in check(part, facts)),
    )
