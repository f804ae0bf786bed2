"""The VPCs of a cluster: those in which its things may stand, and those with a tag.

Why it exists: a sweep takes nothing out of a network that is somebody else's, and ``down`` takes no network away in which others live.
"""

from __future__ import annotations

from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import find_cluster
from lowtide.aws.live.session import ask
from lowtide.model.names import CLUSTER_TAG


def networks_of(account: Account, cluster: str) -> frozenset[str]:
    """Return the VPCs in which the cluster's things may stand: the one that EKS names, and those with lowtide's tag.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    tagged = tagged_networks(account, CLUSTER_TAG, cluster)
    found = find_cluster(account, cluster)
    named = {found.network} if found is not None and found.network else set()
    return tagged | named


def tagged_networks(account: Account, key: str, value: str) -> frozenset[str]:
    """Return the VPCs with a tag.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    by_tag = {"Name": f"tag:{key}", "Values": [value]}
    found = ask(account.client("ec2").describe_vpcs, Filters=[by_tag])["Vpcs"]
    return frozenset(one["VpcId"] for one in found)
