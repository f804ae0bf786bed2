"""Deletes a cluster and proves that nothing of it is left; begun again after any interruption, it goes on.

Why it exists: this is the one place that knows the order: take the lease, empty the cluster, delete the stacks, look for what is left, remove
what was chosen, look again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lowtide.app.converging import Convergence, Goal, Hooks
from lowtide.app.down_plan import LIVE, Prepared
from lowtide.app.emptying import Emptied, Means, empty
from lowtide.app.holding import is_held, lease_of
from lowtide.app.inside import Tell, connected_to
from lowtide.app.kubeconfigs import notes_of_gone
from lowtide.app.patience import Patience, patiently
from lowtide.app.sweep import Sweeper
from lowtide.aws.live.eks import LiveCluster, protect
from lowtide.aws.live.remains.named import CLUSTER
from lowtide.aws.live.stacks import Stacks
from lowtide.aws.templates.cfn import stack_name
from lowtide.kube.live.client import Cluster
from lowtide.model.errors import AwsError, LowtideError
from lowtide.model.live_plan import Progress, StackResult
from lowtide.model.remains import Choice, DownResult, Looked, Remain
from lowtide.resolve.first_cause import first_cause
from lowtide.resolve.teardown import in_the_way, left_by_nodes, phases

#: Each stack's deletion is asked for that many times.
_TRIES = 2


def carry_out(prepared: Prepared, tell: Tell) -> DownResult:
    """Do what was shown, and return what became of it and what is left.

    Stacks that could not be deleted are in the result's ``failures``.

    Raises:
        LeaseHeld: another run is at work on the cluster.
        AwsError: AWS refused, or could not be reached.
        LowtideError: something took too long.
    """
    account, name, who = prepared.account, prepared.plan.cluster, prepared.identity.arn
    if prepared.plan.is_nothing and not is_held(account, name):
        return _Run(prepared, tell, lambda: None).ended(prepared.looked)
    # Where nothing else is left, a run that was killed left its lease, which goes with ours.
    with lease_of(account, name, verb="down", who=who) as lease:
        return _Run(prepared, tell, lease.check).run()


class _Run:
    """One run of ``down`` that holds the lease."""

    def __init__(self, prepared: Prepared, tell: Tell, before_act: Callable[[], None]) -> None:
        self._prepared = prepared
        self._wish = prepared.wish
        self._account = prepared.account
        self._name = prepared.plan.cluster
        self._stacks = Stacks(prepared.account)
        self._tell = tell
        self._before_act = before_act
        self._patience = Patience(prepared.wish.timeout_s, prepared.wish.command)
        self._sweeper = Sweeper(prepared.account, self._name, self._patience)
        self._emptied = Emptied()
        self._results: list[StackResult] = []
        self._failures: list[tuple[str, str]] = []

    def run(self) -> DownResult:
        """Do all of it."""
        if self._prepared.stacks:
            self._empty()
            self._lift_protection()
            for phase in phases(self._prepared.stacks, self._first):
                if phase == (self._first,):
                    self._clear_the_way()
                self._delete(phase)
                if self._failures:
                    break  # what is left of this phase is used by the next one
        looked = self._sweeper.sweep(
            self._choice_now(), tell=self._tell, before_act=self._before_act
        )
        return self.ended(looked)

    def ended(self, looked: Looked) -> DownResult:
        """Return what became of it by a last look."""
        return DownResult(
            cluster=self._name,
            region=self._account.region,
            account=self._prepared.identity.account,
            choice=self._wish.choice,
            stacks=tuple(self._results),
            failures=tuple(self._failures),
            forced=tuple(self._emptied.forced),
            notes=(*self._emptied.notes, *self._dead_contexts(looked)),
            removed=tuple(self._sweeper.removed),
            left=self._sweeper.priced(looked.remains),
            kinds=looked.kinds,
            calls=looked.calls,
            unknown=looked.unknown,
        )

    def _dead_contexts(self, looked: Looked) -> tuple[str, ...]:
        """Return what to do with kubectl's contexts of the cluster, nothing where it may still be there."""
        stands = any(one.kind == CLUSTER for one in looked.remains)
        if self._failures or looked.unknown or stands:
            return ()
        account = self._account
        return notes_of_gone(self._name, account.region, self._prepared.identity.account)

    @property
    def _first(self) -> str:
        return stack_name(self._name, "cluster")

    def _choice_now(self) -> Choice:
        """Return the choice, without a sweep where stacks are left: what is theirs goes with them."""
        return replace(self._wish.choice, sweep=self._wish.choice.sweep and not self._failures)

    # Emptying

    def _empty(self) -> None:
        found = self._prepared.found
        if found is None or found.status not in LIVE:
            return
        cluster = self._connected(found)
        try:
            self._emptied = empty(
                Means(
                    account=self._account,
                    name=self._name,
                    cluster=cluster,
                    tell=self._tell,
                    before_act=self._before_act,
                    drain_s=self._wish.drain_s,
                    patience=self._patience,
                )
            )
        finally:
            if cluster is not None:
                cluster.close()

    def _connected(self, found: LiveCluster) -> Cluster | None:
        try:
            return connected_to(self._account, found)
        except (LowtideError, ValueError, OSError) as error:  # a certificate that cannot be read
            self._tell(Progress(subject=self._name, status="cannot be reached", reason=str(error)))
            return None

    # Stacks

    def _lift_protection(self) -> None:
        for name, one in self._prepared.stacks.items():
            if one.is_protected:
                self._before_act()
                lift = partial(self._stacks.protect, name, is_on=False)
                patiently(self._patience, lift, acts=True)
        found = self._prepared.found
        if found is not None and found.is_protected:
            self._before_act()
            patiently(
                self._patience, partial(protect, self._account, self._name, is_on=False), acts=True
            )

    def _delete(self, names: tuple[str, ...]) -> None:
        """Delete stacks at the same time, and once more what failed; what fails again is noted with its first cause."""
        left = names
        for attempt in range(_TRIES):
            goal = Goal(wanted=(), requests={}, unwanted=left)
            hooks = Hooks(tell=self._tell, has_nodes=lambda: False, before_act=self._before_act)
            try:
                self._results += Convergence(self._stacks, goal, hooks, self._patience).run()
            except AwsError as error:
                still = tuple(filter(self._is_there, left))
                if not still:
                    raise
                self._results += [
                    StackResult(name=one, done="deleted", seconds=0.0)
                    for one in left
                    if one not in still
                ]
                if error.where not in still:
                    raise
                self._tell(Progress(subject=error.where, status="not deleted", reason=error.why))
                if attempt + 1 == _TRIES:
                    self._failures += [(one, self._cause(one, error)) for one in still]
                    return
                left = still
                if self._first in left:
                    self._clear_the_way()
            else:
                return

    def _is_there(self, stack: str) -> bool:
        return patiently(self._patience, partial(self._stacks.look, stack)) is not None

    def _cause(self, stack: str, error: AwsError) -> str:
        known = first_cause(patiently(self._patience, partial(self._stacks.events, stack)))
        return known or error.why

    def _clear_the_way(self) -> None:
        """Remove what nodes left in the network, and, where that was chosen, what Kubernetes left; say what stays."""
        always = Choice(sweep=True)
        self._sweep_only(always, left_by_nodes)
        if self._wish.choice.sweep:
            self._sweep_only(self._wish.choice, in_the_way)
            return
        for one in filter(in_the_way, self._sweeper.look(with_regions=False).remains):
            words = "is in the way of the network's deletion; --sweep removes it"
            self._tell(Progress(subject=f"{one.kind} {one.name or one.id}", status=words))

    def _sweep_only(self, choice: Choice, only: Callable[[Remain], bool]) -> None:
        self._sweeper.sweep(choice, tell=self._tell, before_act=self._before_act, only=only)
