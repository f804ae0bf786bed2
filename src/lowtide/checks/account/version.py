"""The Kubernetes minor against what EKS offers now, which the bundled table may not know yet."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.checks.account.place import at_cluster
from lowtide.model.account import AccountFacts
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity

UNOFFERED_VERSION = ("LT605", "unoffered-version")
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
    if status == EXTENDED:
        yield at_cluster(
            cluster,
            UNOFFERED_VERSION,
            Severity.WARNING,
            f"EKS has Kubernetes {cluster.version} in extended support alone, which costs six times as much per hour; a cluster with "
            "supportType STANDARD is upgraded by AWS instead",
            f"write one of {', '.join(standard)} as version",
        )
        return
    yield at_cluster(
        cluster,
        UNOFFERED_VERSION,
        Severity.ERROR,
        f"EKS does not offer Kubernetes {cluster.version} in {facts.region}; it offers {', '.join(facts.versions)}",
        f"aws eks describe-cluster-versions --region {facts.region} lists them",
    )
