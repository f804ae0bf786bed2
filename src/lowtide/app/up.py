"""Creates a cluster, or brings one to what its file says; begun again after any interruption, it goes on.

Why it exists: this is the one place that knows the order: look, show, (be told yes), take the lease, stacks, nodes, objects, kubeconfig,
proof. ``prepare`` changes nothing, ``carry_out`` does what was shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from lowtide.app.converging import Convergence, Goal, Hooks
from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.app.holding import lease_of
from lowtide.app.inside import (
    Tell,
    connected,
    connected_to,
    has_node_for_any,
    live_objects,
    wait_for_nodes,
    wait_for_rollouts,
)
from lowtide.app.patience import Patience, patiently
from lowtide.app.plan import plan_of
from lowtide.app.preview import preview
from lowtide.app.proving import Proving, prove
from lowtide.app.world import World, look_at
from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import find_cluster
from lowtide.aws.live.finishing import finish
from lowtide.aws.live.stacks import Stacks
from lowtide.aws.templates.cfn import stack_name
from lowtide.kube.live.apply import apply_all, called, differences
from lowtide.kube.live.client import Cluster
from lowtide.kube.objects import Manifest
from lowtide.model.errors import InputError, KubernetesError
from lowtide.model.live_plan import (
    LivePlan,
    ObjectDiff,
    Progress,
    Proof,
    StackAction,
    StackResult,
    UpResult,
)
from lowtide.model.plan import Plan

#: Minutes that a whole run may take: a control plane takes about ten, a GPU node five, going back to zero five more.
TIMEOUT_S = 5400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How ``up`` is to work.

    ``command`` is what a person runs to go on. ``with_addons`` installs autoscaler, device plugin and termination handler.
    """

    command: str = "lowtide up"
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
        AwsError: AWS refused, or could not be reached.
    """
    designed = design(inputs)
    _refuse_no_node(designed, wish)
    account = Account(designed.cluster.region, profile)
    patience = Patience(wish.timeout_s, wish.command)
    world = patiently(
        patience, partial(look_at, account, designed, refresh_images=wish.refresh_images)
    )
    stacks = preview(Stacks(account), world, designed.stacks, patience=patience)
    live = LivePlan(
        cluster=designed.cluster.name,
        region=account.region,
        account=world.identity.account,
        caller=world.identity.arn,
        stacks=stacks,
        drift=world.drift,
    )
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


def carry_out(prepared: Prepared, tell: Tell, *, kubeconfig: Callable[[], str]) -> UpResult:
    """Do what was shown, and return what became of it.

    Args:
        prepared: of ``prepare``.
        tell: hears what happens.
        kubeconfig: writes the user's kubeconfig and returns where.

    Raises:
        LeaseHeld: another run is at work on the cluster.
        AwsError: AWS refused, or a stack failed.
        KubernetesError: Kubernetes refused.
        LowtideError: something took too long.
    """
    name, who = prepared.designed.cluster.name, prepared.world.identity.arn
    with lease_of(prepared.account, name, verb="up", who=who) as lease:
        return _Run(prepared, tell, lease.check).run(kubeconfig)


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


def _kept(world: World, live: LivePlan) -> frozenset[str]:
    """Return the stacks that are as they shall be: nothing would change in them, nor in those whose exports they use."""
    same = {one.name for one in live.stacks if one.action is StackAction.NONE}
    kept: set[str] = set()
    for one in world.wanted:  # each behind those that it waits for
        if one.name in same and kept.issuperset(one.after):
            kept.add(one.name)
    return frozenset(kept)


class _Run:
    """One run of ``up`` that holds the lease."""

    def __init__(self, prepared: Prepared, tell: Tell, before_act: Callable[[], None]) -> None:
        self._prepared = prepared
        self._account = prepared.account
        self._designed = prepared.designed
        self._name = prepared.designed.cluster.name
        self._stacks = Stacks(prepared.account)
        self._tell = tell
        self._before_act = before_act
        self._patience = Patience(prepared.wish.timeout_s, prepared.wish.command)
        self._cluster: Cluster | None = None

    def run(self, kubeconfig: Callable[[], str]) -> UpResult:
        """Do all of it."""
        try:
            results = self._converge()
            self._protect()
            written = kubeconfig()
            nodes = wait_for_nodes(
                self._account,
                self._designed,
                self._inside(),
                patience=self._patience,
                tell=self._tell,
            )
            objects = self._install()
            proofs = self._prove()
        finally:
            if self._cluster is not None:
                self._cluster.close()
        live, plan = self._prepared.live, self._prepared.plan
        found = find_cluster(self._account, self._name)
        return UpResult(
            cluster=self._name,
            region=live.region,
            account=live.account,
            version=self._designed.cluster.version,
            endpoint="" if found is None else found.endpoint,
            stacks=results,
            nodes=nodes,
            objects=objects,
            kubeconfig=written,
            idle_usd_per_hour=plan.cost.idle_usd_per_hour,
            worst_case_usd_per_hour=plan.cost.worst_case_usd_per_hour,
            proofs=proofs,
            notes=plan.notes,
        )

    def _converge(self) -> tuple[StackResult, ...]:
        live = self._prepared.live
        world = self._prepared.world
        goal = Goal(
            wanted=world.wanted,
            requests=world.requests,
            unwanted=world.unwanted,
            approved={one.name: live.drastic(one.name) for one in live.stacks},
            removes_first=world.removes_first,
            kept=_kept(world, live),
        )
        hooks = Hooks(
            tell=self._tell,
            has_nodes=self._has_nodes,
            before_act=self._before_act,
            when_whole=self._finish_group,
        )
        return Convergence(self._stacks, goal, hooks, self._patience).run()

    def _has_nodes(self) -> bool:
        try:
            return has_node_for_any(self._inside())
        except KubernetesError as error:
            # A new API server may not take anybody's word at first; that nodes never come is told by the end of the wait.
            self._tell(Progress(subject="API server", status="is asked again", reason=error.why))
            return False

    def _inside(self) -> Cluster:
        if self._cluster is None:
            self._cluster = connected(self._account, self._name)
        return self._cluster

    def _finish_group(self, stack: str) -> None:
        made = self._designed.stack(stack)
        if made is not None and made.finish is not None:
            self._before_act()
            finish(self._account, self._name, made.finish)

    def _protect(self) -> None:
        """Let nobody delete the cluster's stack by mistake, now that it is whole."""
        first = stack_name(self._name, "cluster")
        found = self._stacks.look(first)
        if found is not None and not found.is_protected:
            self._before_act()
            self._stacks.protect(first, is_on=True)

    def _install(self) -> tuple[str, ...]:
        outputs = {}
        for one in self._designed.stacks:
            found = patiently(self._patience, partial(self._stacks.look, one.name))
            outputs[one.name] = {} if found is None else found.outputs
        wish = self._prepared.wish
        wanted = live_objects(self._designed, outputs, with_addons=wish.with_addons)
        applied: list[str] = []
        known = self._prepared.live.objects
        differing = None if known is None else {f"{one.kind}/{one.name}" for one in known}
        for obj in wanted:
            self._before_act()
            applied += patiently(self._patience, partial(apply_all, self._inside(), [obj]))
            if differing is None or called(obj) in differing:
                self._tell(Progress(subject=called(obj), status="applied"))
        wait_for_rollouts(self._inside(), wanted, patience=self._patience, tell=self._tell)
        return tuple(applied)

    def _prove(self) -> tuple[Proof, ...]:
        if not self._prepared.wish.with_proof:
            return ()
        return prove(
            Proving(
                cluster=self._inside(),
                patience=self._patience,
                tell=self._tell,
                before_act=self._before_act,
            )
        )
