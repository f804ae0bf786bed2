"""Changes the bounds of a live node group.

Why it exists: a bound is the one thing of a group that is changed in a hurry. The number of nodes stays the autoscaler's business: it moves
only where it would be out of bounds. The cluster's file is the lasting truth, so what to write there is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide import catalog
from lowtide.app.cluster_named import NamedCluster
from lowtide.app.kubeconfig import no_such_cluster
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
class Scaling:
    """A change of bounds, not carried out yet.

    ``usd_per_hour`` and ``old_usd_per_hour`` are what the group's nodes cost at the new and the old maximum, at their dearest type, the instances
    alone; None where no price is known. ``file`` is the cluster's file where its bounds differ from the new ones, else empty.
    """

    cluster: NamedCluster
    identity: Identity
    group: SeenGroup
    min_size: int
    max_size: int
    usd_per_hour: float | None
    old_usd_per_hour: float | None
    price_dates: PriceDates
    file: str = ""

    @property
    def desired(self) -> int:
        """The number of nodes that the group will want: what it wants now, where that is within the bounds."""
        return min(max(self.group.desired, self.min_size), self.max_size)

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
    fresh = fresh_prices(cluster.region)
    return Scaling(
        cluster=cluster,
        identity=identity,
        group=one,
        min_size=least,
        max_size=most,
        usd_per_hour=_usd(cluster.region, one, most),
        old_usd_per_hour=_usd(cluster.region, one, one.max_size),
        price_dates=catalog.price_dates(cluster.region, fresh),
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
        fix="give --min and --max together",
    )


def _usd(region: str, group: SeenGroup, nodes: int) -> float | None:
    """Return what that many instances cost in an hour at their dearest type, None where a price is not known."""
    fresh = fresh_prices(region)
    try:
        offers = [catalog.offering(name, region, fresh=fresh) for name in group.types]
    except InputError:
        return None
    if not offers:
        return None
    on_demand, spot = group.bought(nodes)
    dearest = max(one.on_demand_usd_per_hour for one in offers)
    traded = max(
        one.on_demand_usd_per_hour if one.spot_usd_per_hour is None else one.spot_usd_per_hour
        for one in offers
    )
    return on_demand * dearest + spot * traded


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
