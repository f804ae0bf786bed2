"""Looks at files and account and says what ``up`` would do; nothing is changed.

Why it exists: ``plan --live`` ends here, and ``up`` shows it before it asks.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import partial

from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.app.holding import refuse_held
from lowtide.app.inside import connected_to, live_objects
from lowtide.app.living_network import refuse_replaced
from lowtide.app.patience import Patience, patiently
from lowtide.app.plan import plan_of
from lowtide.app.preview import StackVanished, preview
from lowtide.app.sizes import changed_sizes
from lowtide.app.world import World, look_at
from lowtide.aws.live.account import Account
from lowtide.aws.live.stacks import Stacks
from lowtide.aws.templates.cfn import stack_name
from lowtide.aws.templates.nodes import group_name
from lowtide.checks.account.version import step_refused
from lowtide.kube.live.apply import differences
from lowtide.kube.objects import Manifest
from lowtide.model.errors import ChecksFailed, InputError, KubernetesError
from lowtide.model.live_plan import LivePlan, ObjectDiff, StackAction
from lowtide.model.plan import Plan

#: Minutes that a whole run may take: a control plane takes about ten, a GPU node five, going back to zero five more.
TIMEOUT_S = 5400.0
#: How the states of a stack begin whose cluster stays.
_KEPT = ("CREATE_COMPLETE", "UPDATE_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How ``up`` is to work.

    ``command`` is what a person runs to go on. ``changes``: something is to be done afterwards, so that another run at work is a
    reason to stop. ``with_addons`` installs autoscaler, device plugin and termination handler.
    """

    command: str = "lowtide up"
    changes: bool = True
    with_addons: bool = True
    with_proof: bool = False
    refresh_images: bool = False
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was looked at and would be done, before anything is changed."""

    wish: Wish
    account: Account
    designed: Design
    plan: Plan
    world: World
    live: LivePlan

    @property
    def creates_cluster(self) -> bool:
        """Whether the cluster itself is still to be made."""
        first = stack_name(self.designed.cluster.name, "cluster")
        made = {StackAction.CREATE, StackAction.REPAIR}
        return any(one.name == first and one.action in made for one in self.live.stacks)

    def groups(self, *actions: StackAction) -> frozenset[str]:
        """Return the names of the node groups about whose stacks one of these is to be done."""
        cluster = self.designed.cluster
        stacks = {one.name for one in self.live.stacks if one.action in actions}
        return frozenset(
            one.name for one in cluster.node_groups if group_name(cluster, one) in stacks
        )


def prepare(
    inputs: Inputs, wish: Wish, *, profile: str | None = None, with_objects: bool = True
) -> Prepared:
    """Look at files and account; nothing is changed.

    Args:
        inputs: the files.
        wish: how to work.
        profile: of the AWS configuration, None for the environment's.
        with_objects: also compare the Kubernetes objects, where the cluster is there.

    Raises:
        InputError: the files lead nowhere, or the name belongs to somebody else.
        ChecksFailed: EKS does not go from the cluster's Kubernetes minor to the file's, or its network would be replaced.
        LeaseHeld: another run is at work on the cluster, and this one wants to change it, too.
        AwsError: AWS refused, or could not be reached.
        LowtideError: another run took a stack away meanwhile.
    """
    designed = design(inputs)
    _refuse_no_node(designed, wish)
    account = Account(designed.cluster.region, profile)
    patience = Patience(wish.timeout_s, wish.command)
    refuse = partial(refuse_held, account, designed.cluster.name)
    if wish.changes:
        patiently(patience, refuse)
    world = patiently(
        patience, partial(look_at, account, designed, refresh_images=wish.refresh_images)
    )
    _refuse_version(designed, world)
    try:
        stacks = preview(
            Stacks(account),
            world,
            designed.stacks,
            patience=patience,
            refuse=partial(refuse_replaced, designed),
        )
    except StackVanished:
        refuse()  # says who it was, where it is known
        raise
    live = LivePlan(
        cluster=designed.cluster.name,
        region=account.region,
        account=world.identity.account,
        caller=world.identity.arn,
        stacks=stacks,
        drift=world.drift,
    )
    same = [one.name for one in stacks if one.action is StackAction.NONE]
    sizes = patiently(patience, partial(changed_sizes, account, designed, same))
    live = replace(live, sizes=sizes)
    if with_objects:
        live = _with_objects(live, world, designed, wish)
    today = dt.datetime.now(tz=dt.UTC).date()
    return Prepared(
        wish=wish,
        account=account,
        designed=designed,
        plan=plan_of(designed, today=today),
        world=world,
        live=live,
    )


def _refuse_no_node(designed: Design, wish: Wish) -> None:
    """Refuse a cluster whose own pods would have no node, before any of it is paid for."""
    late = stack_name(designed.cluster.name, "addons")
    needs_node = wish.with_addons or designed.stack(late) is not None
    starts = any(
        max(one.min_size, one.desired) > 0
        and all(taint.effect == "PreferNoSchedule" for taint in one.taints)
        for one in designed.cluster.node_groups
    )
    if needs_node and not starts:
        raise InputError(
            "No node group starts with a node on which any pod can run",
            where=designed.inputs.cluster,
            why="the autoscaler and the add-ons need one, and without the autoscaler no other comes",
            fix="give a group without taints minSize: 1 and desiredCapacity: 1",
        )


def _refuse_version(designed: Design, world: World) -> None:
    """Refuse a minor to which EKS does not take the cluster that is there; CloudFormation would say so only in the middle."""
    found, wanted = world.cluster, designed.cluster
    first = world.stacks.get(stack_name(wanted.name, "cluster"))
    if found is None or first is None or not first.status.startswith(_KEPT):
        return  # it is still made, or made anew
    words = step_refused(wanted.name, wanted.region, live=found.version, wanted=wanted.version)
    if words is not None:
        what, why, fix = words
        where = f"{designed.inputs.cluster}: metadata.version"
        raise ChecksFailed(what, where=where, why=why, fix=fix)


def _with_objects(live: LivePlan, world: World, designed: Design, wish: Wish) -> LivePlan:
    """Add what an apply would change in the cluster, where there is one that can be asked."""
    found = world.cluster
    if found is None or not found.endpoint:
        return live
    outputs = {name: one.outputs for name, one in world.stacks.items()}
    wanted = live_objects(designed, outputs, with_addons=wish.with_addons)
    try:
        return replace(live, objects=_differences(world, wanted))
    except KubernetesError as error:
        return replace(live, objects_unknown=f"{error.what}: {error.why}")


def _differences(world: World, wanted: list[Manifest]) -> tuple[ObjectDiff, ...]:
    assert world.cluster is not None
    with (
        connected_to(world.account, world.cluster) as cluster,
        connected_to(world.account, world.cluster, dry_run=True) as dry,
    ):
        return differences(cluster, dry, wanted)
