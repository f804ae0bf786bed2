"""Other EKS clusters that live in the network which ``down`` is about to take away.

Why it exists: the cluster's stack holds its VPC, and CloudFormation takes gateways and routes away before it meets the subnets that
another cluster holds: that one would stand without a network, and the deletion would fail all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial

from lowtide.app.patience import Patience, patiently
from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import LiveCluster, cluster_names, find_cluster
from lowtide.aws.live.remains.networks import tagged_networks
from lowtide.aws.live.session import DENIED
from lowtide.aws.templates.cfn import stack_name
from lowtide.model.account import Unverified
from lowtide.model.errors import AwsError, InputError
from lowtide.model.names import CLUSTER_TAG

#: CloudFormation's own tag on what a stack made; nobody else can set it (CloudFormation user guide, "Resource tags").
_OF_STACK = "aws:cloudformation:stack-name"


def refuse_neighbours(
    account: Account, name: str, *, stacks: Collection[str], sweep: bool, patience: Patience
) -> tuple[Unverified, ...]:
    """Refuse to take a network away in which another cluster lives; return what of it could not be verified.

    Args:
        account: where the cluster is.
        name: the cluster that goes.
        stacks: names of its stacks. A VPC that the cluster's stack did not make does not go with it, and is not looked into.
        sweep: whether VPCs with the cluster's tag are removed as well.
        patience: for short troubles of AWS.

    Raises:
        InputError: another cluster lives there; nothing was changed.
        AwsError: AWS cannot be reached, or refused a call otherwise than by denying it.
    """
    try:
        look = partial(_going, account, name, stacks=stacks, sweep=sweep)
        going = patiently(patience, look)
        found = patiently(patience, lambda: tuple(_neighbours(account, name, going)))
    except AwsError as error:
        if error.code not in DENIED:
            raise
        what = "whether another EKS cluster lives in the network that goes"
        return (Unverified(what=what, why=error.why),)
    if found:
        raise _refusal(name, account.region, found)
    return ()


def _going(account: Account, name: str, *, stacks: Collection[str], sweep: bool) -> frozenset[str]:
    """Return the VPCs that go."""
    first = stack_name(name, "cluster")
    made = tagged_networks(account, _OF_STACK, first) if first in stacks else frozenset()
    return made | (tagged_networks(account, CLUSTER_TAG, name) if sweep else frozenset())


def _neighbours(account: Account, name: str, going: frozenset[str]) -> Iterator[LiveCluster]:
    """Yield the other clusters in these VPCs; one that vanishes while it is looked at is none."""
    if not going:
        return
    for other in cluster_names(account):
        if other == name:
            continue
        found = find_cluster(account, other)
        if found is not None and found.network in going:
            yield found


def _refusal(name: str, region: str, found: tuple[LiveCluster, ...]) -> InputError:
    several = len(found) > 1
    networks = " and ".join(sorted({one.network for one in found}))
    others = ", ".join(f"{one.name} ({one.status})" for one in found)
    first = found[0].name
    return InputError(
        f"VPC {networks} goes with cluster {name}, and EKS cluster{'s' if several else ''} {others} "
        f"{'live' if several else 'lives'} in it",
        where=f"VPC {networks}, {region}",
        why="without subnets, routes and gateways no cluster in it works; nothing was changed",
        fix=f"delete {'them' if several else 'it'} first with what made {'them' if several else 'it'}; "
        f"aws eks describe-cluster --name {first} --region {region} shows it",
    )
