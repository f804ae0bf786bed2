"""vCPU quotas against the sizes of the node groups: spot and on-demand each have their own, and a new account's GPU quotas are 0."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

from lowtide.catalog.quotas import vcpu_quota
from lowtide.checks.account.place import at_cluster
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.findings import Finding, Severity
from lowtide.model.preflight import QuotaNeed

SMALL_QUOTA = ("LT602", "small-quota")


def quota_needs(cluster: ResolvedCluster) -> tuple[QuotaNeed, ...]:
    """Return every quota that the cluster's nodes may count against, by its code."""
    parts = [part for group in cluster.node_groups for part in _parts(group)]
    by_code: dict[str, list[QuotaNeed]] = {}
    for part in parts:
        by_code.setdefault(part.code, []).append(part)
    return tuple(
        replace(
            mine[0],
            groups=tuple(group for part in mine for group in part.groups),
            one_node=min(part.one_node for part in mine),
            at_minimum=sum(part.at_minimum for part in mine),
            at_maximum=sum(part.at_maximum for part in mine),
        )
        for _, mine in sorted(by_code.items())
    )


def small_quotas(
    cluster: ResolvedCluster, facts: AccountFacts, *, living: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield a finding for each quota that the cluster does not fit into.

    ``living`` are groups that are there already. Where they alone count against a quota, what others use of it now is no error: it passes.
    """
    for need in quota_needs(cluster):
        fact = facts.quota(need.code)
        if fact is None:
            continue
        free = fact.vcpus - (fact.used or 0)
        least = max(need.at_minimum, need.one_node)
        if free >= need.at_maximum:
            continue
        too_small = (fact.vcpus if living and set(need.groups) <= set(living) else free) < least
        wanted = math.ceil((fact.used or 0) + need.at_maximum)
        used = "" if not fact.used else f", {fact.used} of them in use"
        nodes = f"{need.at_maximum} for {_groups(need)} at the maximum"
        short = f"{least} are needed at least, {nodes}" if too_small else f"{nodes} are needed"
        yield at_cluster(
            cluster,
            SMALL_QUOTA,
            Severity.ERROR if too_small else Severity.WARNING,
            f"quota {fact.name!r} ({fact.code}) of {facts.region} allows {fact.vcpus:g} vCPUs{used}; {short}",
            "aws service-quotas request-service-quota-increase --service-code ec2 "
            f"--quota-code {fact.code} --desired-value {wanted} --region {facts.region}",
        )


def _parts(group: NodeGroup) -> Iterator[QuotaNeed]:
    """Yield what a group counts, once for spot and once for on-demand, and once for each class of its types."""
    least, most = group.bought(group.min_size), group.bought(group.max_size)
    for spot, minimum, maximum in ((False, least[0], most[0]), (True, least[1], most[1])):
        if not maximum:
            continue
        vcpus: dict[str, list[int]] = {}
        quotas = {}
        for candidate in group.candidates:
            one = candidate.offering.instance_type
            quota = vcpu_quota(one.name, spot=spot)
            quotas[quota.code] = quota
            vcpus.setdefault(quota.code, []).append(one.vcpu)
        for code, quota in quotas.items():
            largest = max(vcpus[code])
            yield QuotaNeed(
                code=code,
                name=quota.name,
                spot=spot,
                groups=(group.name,),
                one_node=min(vcpus[code]),
                at_minimum=minimum * largest,
                at_maximum=maximum * largest,
            )


def _groups(need: QuotaNeed) -> str:
    shown = 3
    more = len(need.groups) - shown
    return ", ".join(need.groups[:shown]) + (f" and {more} more" if more > 0 else "")
