"""Writes a cluster into a kubeconfig file, as ``aws eks update-kubeconfig`` does."""

from __future__ import annotations

import os

from lowtide.app.cluster_named import NamedCluster
from lowtide.app.kubeconfigs import Written, write_entry
from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import find_cluster
from lowtide.kube.kubeconfig import EksEntry
from lowtide.model.errors import InputError

#: The states in which a cluster has an API server (as the AWS CLI has it).
_USABLE = ("ACTIVE", "UPDATING")
#: In botocore's order.
_PROFILE_VARIABLES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")


def update_kubeconfig(
    cluster: NamedCluster,
    *,
    profile: str | None = None,
    file: str | None = None,
    alias: str = "",
    dry_run: bool = False,
) -> Written:
    """Put the cluster into a kubeconfig file and make it the current context.

    Raises:
        InputError: there is no such cluster, it is not ready, or the file cannot be used.
        AwsError: AWS refused, or could not be reached.
    """
    found = find_cluster(Account(cluster.region, profile), cluster.name)
    if found is None:
        raise no_such_cluster(cluster)
    if found.status not in _USABLE:
        raise InputError(
            f"Cluster {cluster.name} has no API server to talk to",
            where=found.arn,
            why=f"it is {found.status}",
            fix="run it again when the cluster is ACTIVE",
        )
    variables = (os.environ.get(one) for one in _PROFILE_VARIABLES)
    entry = EksEntry(
        arn=found.arn,
        name=found.name,
        endpoint=found.endpoint,
        ca=found.ca,
        alias=alias,
        profile=profile or next((one for one in variables if one), ""),
    )
    return write_entry(entry, given=file, dry_run=dry_run)


def no_such_cluster(cluster: NamedCluster) -> InputError:
    """Return the error for a name that no cluster of the account has."""
    return InputError(
        f"There is no cluster {cluster.name} in {cluster.region}",
        where=cluster.source,
        why="EKS knows none of that name in this account and region",
        fix="lowtide up creates it; --name, --region and --profile name another",
    )
