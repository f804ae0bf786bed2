"""The Kubernetes minor against what EKS offers now, which the bundled table may not know yet, and against the live cluster's.

EKS goes up one minor at a time (EKS user guide, "Update existing cluster to new Kubernetes version"). It goes back as well, by
one minor and within seven days of the upgrade (same place, "Rollback cluster to previous Kubernetes version"); nodes have to go back before
the control plane then, while ``up`` changes the control plane first, so lowtide leaves a rollback to EKS itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.catalog.versions import parse_minor
from lowtide.checks.account.place import at_cluster
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity
from lowtide.model.names import CLUSTER_TAG

UNOFFERED_VERSION = ("LT605", "unoffered-version")
UNREACHABLE_VERSION = ("LT611", "unreachable-version")
#: States in which a cluster does not stay, so that its minor binds nobody.
NOT_LIVING = frozenset({"DELETING", "FAILED"})
#: versionStatus of DescribeClusterVersions (EKS API reference, ClusterVersionInformation).
STANDARD, EXTENDED = "STANDARD_SUPPORT", "EXTENDED_SUPPORT"


def unoffered_version(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a finding where the minor is not offered, or only at the price of extended support."""
    if not facts.versions:
        return
    status = facts.versions.get(cluster.version, "")
    standard = [minor for minor, one in facts.versions.items() if one == STANDARD]
    if status == STANDARD:
        return
    listing = f"aws eks describe-cluster-versions --region {facts.region}"
    if status == EXTENDED:
        yield at_cluster(
            cluster,
            UNOFFERED_VERSION,
            Severity.WARNING,
            f"EKS has Kubernetes {cluster.version} in extended support alone, which costs six times as much per hour; a cluster with "
            "supportType STANDARD is upgraded by AWS instead",
            f"write one of {', '.join(standard)} as version; {listing} lists all",
        )
        return
    yield at_cluster(
        cluster,
        UNOFFERED_VERSION,
        Severity.ERROR,
        f"EKS does not offer Kubernetes {cluster.version} in {facts.region}; it offers {', '.join(facts.versions)}",
        f"write one of these as version; {listing} lists them",
    )


def unreachable_version(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a finding where the cluster is there, and cannot come to the file's minor in one step."""
    for one in facts.clusters:
        if one.tags.get(CLUSTER_TAG) != cluster.name or one.status in NOT_LIVING:
            continue
        words = step_refused(cluster.name, facts.region, live=one.version, wanted=cluster.version)
        if words is not None:
            what, why, fix = words
            yield at_cluster(cluster, UNREACHABLE_VERSION, Severity.ERROR, f"{what}: {why}", fix)


def step_refused(name: str, region: str, *, live: str, wanted: str) -> tuple[str, str, str] | None:
    """Return what is wrong with going from one minor to another, why, and what to do; None where it can be done, or nobody knows.

    Args:
        name: of the cluster.
        region: where it is.
        live: its minor now, as ``1.35``; empty where EKS does not say it.
        wanted: the minor of the file.
    """
    if not live:
        return None
    (major, now), (_, then) = parse_minor(live), parse_minor(wanted)
    if then < now:
        back = f"aws eks update-cluster-version --name {name} --region {region} --kubernetes-version {wanted}"
        own = f"; within 7 days of its upgrade EKS itself may take it back, nodes first: {back}"
        return (
            f"Kubernetes {wanted} in the file is below the cluster's {live}",
            "EKS does not downgrade a cluster, save by a rollback of its own, by one minor and within 7 days of an upgrade",
            f'write version: "{live}"{own if now - then == 1 else ""}',
        )
    if then > now + 1:
        return (
            f"Kubernetes {wanted} in the file is {then - now} minors above the cluster's {live}",
            "EKS upgrades a cluster by one minor at a time",
            f'write version: "{major}.{now + 1}" first; lowtide upgrade says what that takes',
        )
    return None
