"""Calls about what is left of one cluster, counted; and which tags say that a thing is the cluster's.

Why it exists: "nothing is left" is worth as much as the list of what was looked for, so every call is counted here and a call that was
refused is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.aws.live.session import ask
from lowtide.model.names import CLUSTER_TAG, EKSCTL_CLUSTER
from lowtide.model.remains import Remain

#: A stack's name may be cut short in the names that CloudFormation makes, so no more of it is relied on; tags decide.
_SURE_OF_A_NAME = 24
#: Cluster API's key (cluster-api-provider-aws, api/v1beta2/tags.go), which stands beside Kubernetes' own on all that it makes.
_CLUSTER_API = "sigs.k8s.io/cluster-api-provider-aws/cluster/"

Tags = Mapping[str, str]


def plain(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return a list of keys and values as a mapping."""
    return {one["Key"]: one.get("Value", "") for one in tags}


class Asking:
    """Asks an account about one cluster. Every method raises AwsError where AWS refuses or cannot be reached."""

    def __init__(self, account: Account, cluster: str) -> None:
        self.account = account
        self.cluster = cluster
        self.calls = 0

    @property
    def region(self) -> str:
        """The region that is looked at."""
        return self.account.region

    @property
    def name_prefix(self) -> str:
        """What names begin with that CloudFormation made in our stacks."""
        return f"lowtide-{self.cluster}-"[:_SURE_OF_A_NAME]

    def ask(self, service: str, operation: str, **params: Any) -> Any:
        """Make one call."""
        self.calls += 1
        return ask(getattr(self.account.client(service), operation), **params)

    def every(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        """Yield the items of all pages of an answer."""
        client = self.account.client(service)
        if not client.can_paginate(operation):
            yield from self.ask(service, operation, **params).get(key, ())
            return
        pages = iter(client.get_paginator(operation).paginate(**params))
        while (page := self._next(pages)) is not None:
            yield from page.get(key, ())

    def _next(self, pages: Iterator[Any]) -> Any:
        found = ask(partial(next, pages, None))
        self.calls += found is not None
        return found

    @property
    def tags(self) -> Tags:
        """The tags by which something is the cluster's, whoever made it.

        Ours; that of things that Kubernetes made or that belong to its nodes (cloud-provider-aws, pkg/providers/v1/tags.go, also the
        older key; the EBS driver sets both where it is told the cluster's name, docs/tagging.md, and its own: AWS's policy
        AmazonEBSCSIDriverEKSClusterScopedPolicy); the load balancer controller's; the VPC CNI's
        (README.md, CLUSTER_NAME); EKS's own. The first that fits says who made a thing.
        """
        name = self.cluster
        return {
            CLUSTER_TAG: name,
            "aws:eks:cluster-name": name,
            f"kubernetes.io/cluster/{name}": "owned",
            "KubernetesCluster": name,
            "ebs.csi.aws.com/cluster-name": name,
            "elbv2.k8s.aws/cluster": name,
            "cluster.k8s.amazonaws.com/name": name,
            "eks:cluster-name": name,
        }

    @property
    def keys_of_others(self) -> tuple[str, ...]:
        """The keys by which other tools say that a thing is theirs, whatever Kubernetes' tags say."""
        return EKSCTL_CLUSTER, f"{_CLUSTER_API}{self.cluster}"

    def owner_tag(self, tags: Tags) -> str:
        """Return the tag that makes a thing the cluster's, empty where it is not: ``shared`` things and other tools' are others'."""
        is_theirs = any(one in tags for one in self.keys_of_others)
        if is_theirs and tags.get(CLUSTER_TAG) != self.cluster:
            return ""
        found = (f"{key}={value}" for key, value in self.tags.items() if tags.get(key) == value)
        return next(found, "")

    def command(self, words: str) -> str:
        """Return a line for a shell that removes something."""
        return f"aws {words} --region {self.region}"


#: Finds the things of some kinds.
Finder = Callable[[Asking], Iterable[Remain]]
