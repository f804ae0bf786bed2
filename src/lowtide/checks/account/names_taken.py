"""Names that the cluster needs and somebody else has: eksctl's clusters are recognised and left alone."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.checks.account.place import at_cluster
from lowtide.model.account import AccountFacts, Named
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity
from lowtide.model.names import CLUSTER_TAG, EKSCTL_CLUSTER

NAME_TAKEN = ("LT606", "name-taken")


def names_taken(cluster: ResolvedCluster, facts: AccountFacts) -> Iterator[Finding]:
    """Yield a finding for the cluster and for each stack of the needed names that is not lowtide's."""
    for one in facts.clusters:
        if one.tags.get(CLUSTER_TAG) != cluster.name:
            yield _taken(cluster, facts, one, "an EKS cluster")
    for one in facts.stacks:
        if one.tags.get(CLUSTER_TAG) != cluster.name:
            yield _taken(cluster, facts, one, "a stack")


def _taken(cluster: ResolvedCluster, facts: AccountFacts, one: Named, kind: str) -> Finding:
    eksctl = EKSCTL_CLUSTER in one.tags or one.name.startswith("eksctl-")
    maker = (
        "eksctl made"
        if eksctl
        else f"has no tag {CLUSTER_TAG}={cluster.name}, so lowtide did not make"
    )
    delete = f"eksctl delete cluster --name {cluster.name} --region {facts.region} removes it"
    return at_cluster(
        cluster,
        NAME_TAKEN,
        Severity.ERROR,
        f"there is {kind} {one.name} ({one.status}) in {facts.region} already, which {maker}; lowtide leaves it alone",
        f"choose another metadata.name{'; ' + delete if eksctl else ''}",
    )
