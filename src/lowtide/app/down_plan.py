"""What ``down`` would do, before anything is changed: whose the cluster is, what ends with it, what no stack takes away.

Why it exists: the look at the account is the same whether somebody says yes afterwards or not.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import partial

from lowtide.app.cluster_named import NamedCluster
from lowtide.app.holding import refuse_held
from lowtide.app.neighbours import refuse_neighbours
from lowtide.app.ownership import own_stacks, refuse_others
from lowtide.app.patience import Patience, patiently
from lowtide.app.status import StatusReader
from lowtide.app.sweep import Sweeper
from lowtide.aws.live.account import Account, Identity
from lowtide.aws.live.eks import LiveCluster, find_cluster
from lowtide.aws.live.stacks import LiveStack, Stacks
from lowtide.aws.templates.cfn import stack_name
from lowtide.model.cluster_status import ClusterStatus
from lowtide.model.errors import InputError, LowtideError
from lowtide.model.names import CLUSTER_TAG
from lowtide.model.remains import DATA, Choice, DownPlan, Looked, SeenForDown
from lowtide.resolve.teardown import is_beside_stacks, phases

#: States of a cluster in which its API server answers.
LIVE = ("ACTIVE", "UPDATING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How ``down`` is to work. ``command`` is what a person runs to go on; ``drain_s`` are the seconds that pods have to end."""

    command: str = "lowtide down"
    choice: Choice = field(default_factory=Choice)
    drain_s: float = 120.0
    timeout_s: float = 5400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was looked at and would be done, before anything is changed."""

    wish: Wish
    account: Account
    identity: Identity
    stacks: dict[str, LiveStack]
    found: LiveCluster | None
    looked: Looked
    plan: DownPlan


def prepare(cluster: NamedCluster, wish: Wish, *, profile: str | None = None) -> Prepared:
    """Look at the account; nothing is changed.

    Raises:
        InputError: the name belongs to eksctl or to somebody else, or another cluster lives in the network that goes.
        LeaseHeld: another run is at work on the cluster.
        AwsError: AWS refused, or could not be reached.
    """
    account = Account(cluster.region, profile)
    identity = account.identity()
    name = cluster.name
    patience = Patience(wish.timeout_s, wish.command)
    patiently(patience, partial(refuse_held, account, name))
    every = tuple(Stacks(account).all())
    found = find_cluster(account, name)
    refuse_others(
        name,
        account.region,
        wanted={stack_name(name, "cluster")},
        stacks=every,
        found=found,
        deletes=True,
    )
    stacks = own_stacks(name, every)
    unknown = refuse_neighbours(
        account, name, stacks=stacks, sweep=wish.choice.sweep, patience=patience
    )
    sweeper = Sweeper(account, name, patience)
    looked = sweeper.look(with_regions=not stacks)
    if not stacks and found is None:
        _refuse_unproved(account, name, looked)
    status = _status(cluster, found, profile)
    shown = [
        one
        for one in looked.remains
        if not stacks or one.kind in DATA or (wish.choice.sweep and is_beside_stacks(one))
    ]
    plan = DownPlan(
        cluster=name,
        region=account.region,
        account=identity.account,
        caller=identity.arn,
        stacks=tuple(
            SeenForDown(name=one, status=stacks[one].status)
            for phase in phases(stacks, stack_name(name, "cluster"))
            for one in phase
        ),
        cluster_status="" if found is None else found.status,
        choice=wish.choice,
        nodes=0 if status is None else len(status.nodes),
        pods=0 if status is None else status.pods_running,
        usd_per_hour=None if status is None else status.cost.total,
        remains=sweeper.priced(shown),
        unknown=unknown,
    )
    return Prepared(
        wish=wish,
        account=account,
        identity=identity,
        stacks=stacks,
        found=found,
        looked=looked,
        plan=plan,
    )


def _refuse_unproved(account: Account, name: str, looked: Looked) -> None:
    """Refuse things that only look like a cluster of ours: other tools use the same tags of Kubernetes."""
    if not looked.remains or Stacks(account).had(stack_name(name, "cluster")):
        return
    if any(one.found_by.startswith(CLUSTER_TAG) or "/lowtide/" in one.id for one in looked.remains):
        return
    first = looked.remains[0]
    raise InputError(
        f"Nothing shows that lowtide made a cluster {name} in {account.region}",
        where=f"{first.kind} {first.name or first.id}",
        why=f"it has {first.found_by}, which clusters of other tools have, too; nothing has {CLUSTER_TAG}={name}",
        fix="remove it with what made it; is the region right?",
    )


def _status(
    cluster: NamedCluster, found: LiveCluster | None, profile: str | None
) -> ClusterStatus | None:
    """Return what ends with the cluster, None where nobody can say: that is no reason to keep it."""
    if found is None or found.status not in LIVE:
        return None
    try:
        with contextlib.closing(StatusReader(cluster, profile=profile)) as reader:
            return reader.read()
    except LowtideError:
        return None
