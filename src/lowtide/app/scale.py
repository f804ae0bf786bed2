"""Changes the bounds of a live node group.

Why it exists: a bound is the one thing of a group that is changed in a hurry. The number of nodes stays the autoscaler's business: it moves
only where it would be out of bounds. The cluster's file is the lasting truth, so what to write there is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lowtide import catalog
from lowtide.app.cluster_named import NamedCluster
from lowtide.app.files import load
from lowtide.app.kubeconfig import no_such_cluster
from lowtide.app.live_costs import control_plane_usd, instances_usd, total_usd
from lowtide.app.price_cache import fresh_prices
from lowtide.aws.live.account import Account, Identity
from lowtide.aws.live.eks import find_cluster
from lowtide.aws.live.node_groups import node_groups, set_bounds
from lowtide.model.catalog import PriceDates
from lowtide.model.errors import InputError
from lowtide.model.node_groups import SeenGroup
from lowtide.spec.cluster_documents import load_documents
from lowtide.spec.clusterfile import cluster_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """USD per hour of control plane and instances, with every group at its minimum (``idle``) and at its maximum (``most``).

    None where a price is not known. Volumes, addresses and NAT are not in it: only the file says them.
    """

    idle: float | None
    most: float | None
    old_idle: float | None
    old_most: float | None
    dates: PriceDates


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """A change of bounds, not carried out yet.

    ``file`` is the cluster's file where its bounds differ from the new ones, else empty.
    """

    cluster: NamedCluster
    identity: Identity
    group: SeenGroup
    min_size: int
    max_size: int
    costs: Costs
    file: str = ""

    @property
    def desired(self) -> int:
        """The number of nodes that the group will want: what it wants now, where that is within the bounds."""
        return min(max(self.group.desired, self.min_size), self.max_size)

    @property
    def ending(self) -> int:
        """How many nodes end at once, with whatever runs on them."""
        return max(0, self.group.desired - self.desired)

    @property
    def changes_nothing(self) -> bool:
        """Whether the bounds are so already."""
        return (self.min_size, self.max_size) == (self.group.min_size, self.group.max_size)

    @property
    def may_cost_more(self) -> bool:
        """Whether more nodes may run than before, at their most or at once."""
        return self.max_size > self.group.max_size or self.desired > self.group.desired


def plan_scaling(
    cluster: NamedCluster,
    group: str,
    *,
    min_size: int | None,
    max_size: int | None,
    profile: str | None = None,
) -> Scaling:
    """Return what a change of bounds would mean; a bound that is None stays.

    Raises:
        InputError: there is no such cluster or group, lowtide did not make it, or the bounds cross.
        AwsError: AWS refused, or could not be reached.
    """
    account = Account(cluster.region, profile)
    identity = account.identity()
    found = find_cluster(account, cluster.name)
    if found is None:
        raise no_such_cluster(cluster)
    groups = node_groups(account, cluster.name)
    one = _named(cluster, group, groups)
    if one.owner != cluster.name:
        raise _not_ours(cluster, one, of_eksctl=found.is_of_eksctl)
    least = one.min_size if min_size is None else min_size
    most = one.max_size if max_size is None else max_size
    if least > most:
        raise _crossed(one, least, most)
    changed = replace(one, min_size=least, max_size=most)
    return Scaling(
        cluster=cluster,
        identity=identity,
        group=one,
        min_size=least,
        max_size=most,
        costs=_costs(cluster, groups, changed, found.version),
        file=_differing_file(cluster, group, (least, most)),
    )


def carry_out(scaling: Scaling, *, profile: str | None = None) -> None:
    """Set the bounds.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    account = Account(scaling.cluster.region, profile)
    set_bounds(account, scaling.cluster.name, scaling.group, scaling.min_size, scaling.max_size)


def _named(cluster: NamedCluster, name: str, groups: tuple[SeenGroup, ...]) -> SeenGroup:
    for one in groups:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in groups) or "no node group at all"
    raise InputError(
        f"There is no node group {name}",
        where=f"cluster {cluster.name} in {cluster.region}",
        why=f"it has {known}",
        fix="lowtide status shows them; lowtide up makes those of the file",
    )


def _not_ours(cluster: NamedCluster, group: SeenGroup, *, of_eksctl: bool) -> InputError:
    command = f"eksctl scale nodegroup --cluster {cluster.name} --name {group.name}"
    return InputError(
        f"lowtide did not make node group {group.name}",
        where=group.asg,
        why=f"it has no tag lowtide.dev/cluster={cluster.name}, so it is left alone",
        fix=command if of_eksctl else "scale it with what made it",
    )


def _crossed(group: SeenGroup, least: int, most: int) -> InputError:
    return InputError(
        f"A minimum of {least} is above a maximum of {most}",
        where=f"node group {group.name}",
        why=f"it has {group.min_size} to {group.max_size} nodes now",
        fix=f"give both, --min not above --max, as in --min {most} --max {least}",
    )


def _costs(
    cluster: NamedCluster, groups: tuple[SeenGroup, ...], changed: SeenGroup, version: str
) -> Costs:
    fresh = fresh_prices(cluster.region)

    def whole(sizes: Callable[[SeenGroup], int], seen: tuple[SeenGroup, ...]) -> float | None:
        nodes = total_usd(instances_usd(cluster.region, one, sizes(one), fresh) for one in seen)
        return None if nodes is None else nodes + control_plane_usd(version)

    after = tuple(changed if one.asg == changed.asg else one for one in groups)
    return Costs(
        idle=whole(lambda one: one.min_size, after),
        most=whole(lambda one: one.max_size, after),
        old_idle=whole(lambda one: one.min_size, groups),
        old_most=whole(lambda one: one.max_size, groups),
        dates=catalog.price_dates(cluster.region, fresh),
    )


def budget_of(cluster: NamedCluster) -> float | None:
    """Return budget.maxUsdPerHour of the policy beside the cluster's file, None without one.

    Raises:
        InputError: the files cannot be read.
    """
    if cluster.inputs is None:
        return None
    policy = load(cluster.inputs).policy
    return None if policy is None else policy.max_usd_per_hour


def _differing_file(cluster: NamedCluster, group: str, bounds: tuple[int, int]) -> str:
    """Return the cluster's file where it has other bounds for the group, else an empty text."""
    if cluster.inputs is None:
        return ""
    config = cluster_of(load_documents(cluster.inputs.cluster).cluster).config
    for at in config.all_groups:
        if at.group.name == group:
            same = (at.group.min_size, at.group.max_size) == bounds
            return "" if same else cluster.inputs.cluster
    return ""
