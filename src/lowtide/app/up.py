"""Creates a cluster, or brings one to what its file says; begun again after any interruption, it goes on.

Why it exists: this is the one place that knows the order: look, show, (be told yes), take the lease, stacks, nodes, objects, kubeconfig,
proof. ``up_plan.prepare`` changes nothing, ``carry_out`` does what was shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lowtide.app.after_down import open_nodes
from lowtide.app.converging import Convergence, Goal, Hooks
from lowtide.app.holding import lease_of
from lowtide.app.inside import (
    Tell,
    connected,
    has_node_for_any,
    live_objects,
    wait_for_nodes,
    wait_for_rollouts,
    why_no_nodes,
)
from lowtide.app.patience import Patience, patiently
from lowtide.app.proving import Proving, prove
from lowtide.app.sizes import restore_size
from lowtide.app.up_plan import Prepared
from lowtide.app.world import World
from lowtide.aws.live.eks import find_cluster
from lowtide.aws.live.finishing import finish
from lowtide.aws.live.stacks import Stacks
from lowtide.aws.templates.cfn import stack_name
from lowtide.kube.live.apply import apply_all, called
from lowtide.kube.live.client import Cluster
from lowtide.model.errors import KubernetesError
from lowtide.model.live_plan import (
    LivePlan,
    Progress,
    Proof,
    StackAction,
    StackResult,
    UpResult,
)


def carry_out(prepared: Prepared, tell: Tell, *, kubeconfig: Callable[[], str]) -> UpResult:
    """Do what was shown, and return what became of it.

    Args:
        prepared: of ``up_plan.prepare``.
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
            self._open_nodes()
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
        found = patiently(self._patience, partial(find_cluster, self._account, self._name))
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

    def _open_nodes(self) -> None:
        """Let nodes take pods again where a ``down`` was broken off."""
        found = self._prepared.world.cluster
        if found is None or not found.endpoint:
            return
        try:
            open_nodes(self._inside(), tell=self._tell, before_act=self._before_act)
        except KubernetesError as error:  # what waits for nodes later says it, too
            self._tell(Progress(subject="API server", status="was not asked", reason=error.why))

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
            why_no_nodes=partial(why_no_nodes, self._account, self._designed, self._patience),
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
            look = partial(connected, self._account, self._name)
            self._cluster = patiently(self._patience, look)
        return self._cluster

    def _finish_group(self, stack: str) -> None:
        """Do what CloudFormation cannot, and set back what was changed beside it; all of it can be done twice."""
        made = self._designed.stack(stack)
        if made is None:
            return
        self._before_act()
        if made.finish is not None:
            patiently(self._patience, partial(finish, self._account, self._name, made.finish))
        restore = partial(restore_size, self._account, self._designed, stack)
        drift = patiently(self._patience, restore)
        if drift is not None:
            least, most = drift.wanted
            self._tell(Progress(subject=drift.group, status=f"has {least} to {most} nodes again"))

    def _protect(self) -> None:
        """Let nobody delete the cluster's stack by mistake, now that it is whole."""
        first = stack_name(self._name, "cluster")
        found = patiently(self._patience, partial(self._stacks.look, first))
        if found is not None and not found.is_protected:
            self._before_act()
            patiently(self._patience, partial(self._stacks.protect, first, is_on=True))

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
