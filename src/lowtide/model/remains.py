"""What is left of a cluster in an account, and what ``down`` would do and did.

Read by ``aws.live.remains``, priced by ``explain.remains``, made into plans by ``app``; reports read it and compute nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lowtide.model.account import Unverified
from lowtide.model.live_plan import StackResult

#: Kinds that hold data of the user: they are removed only by a flag of their own.
VOLUME, SNAPSHOT = "volume", "snapshot"
DATA = frozenset({VOLUME, SNAPSHOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remain:
    """One thing of a cluster that is still there.

    ``id`` is what AWS takes to remove it, ``name`` what a person knows it by, ``found_by`` the tag or name that says whose it is.
    ``type`` (an instance's, a volume's, a balancer's), ``gib``, ``iops`` and ``throughput_mib`` decide the price. ``is_going``: AWS is
    removing it already. ``command`` removes it. ``network`` is the VPC where it stands, empty where it stands in none. ``elsewhere`` names
    a region, or a network, with a cluster of that name, to which it may belong as well. ``why`` is why it could not be removed, in AWS's
    words.
    """

    kind: str
    id: str
    found_by: str
    command: str
    name: str = ""
    type: str = ""
    gib: float = 0.0
    iops: int = 0
    throughput_mib: int = 0
    spot: bool = False
    is_going: bool = False
    network: str = ""
    elsewhere: str = ""
    why: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.kind, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A thing that is left and what it costs; None where no price is known, 0 where it costs nothing."""

    remain: Remain
    usd_per_month: float | None

    @property
    def is_billable(self) -> bool:
        """Whether it costs something, as far as anybody knows."""
        return self.usd_per_month is None or self.usd_per_month > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look for what is left: what was found, the kinds that were looked for, in how many calls, and what could not be looked for."""

    remains: tuple[Remain, ...]
    kinds: tuple[str, ...]
    calls: int
    unknown: tuple[Unverified, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user chose about what is left: whether it is removed, data too, and which kinds are kept."""

    sweep: bool = False
    delete_volumes: bool = False
    keep: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenForDown:
    """A stack that goes, and its status now."""

    name: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownPlan:
    """What ``down`` would do now.

    ``cluster_status`` is EKS's, empty where there is no cluster. ``usd_per_hour`` is what it costs now, None where that is not known;
    ``nodes`` and ``pods`` (running) end. ``remains`` are things that no stack takes away. ``unknown`` is what could not be verified of
    what others would lose by it.
    """

    cluster: str
    region: str
    account: str
    caller: str
    stacks: tuple[SeenForDown, ...]
    cluster_status: str
    choice: Choice
    nodes: int = 0
    pods: int = 0
    usd_per_hour: float | None = None
    remains: tuple[Priced, ...] = ()
    unknown: tuple[Unverified, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing that this run would take away."""
        return not self.stacks and not to_remove([one.remain for one in self.remains], self.choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownResult:
    """What became of a cluster.

    ``failures`` are stacks that could not be deleted with their first cause, ``forced`` pods that were ended against a
    PodDisruptionBudget or the clock. ``left`` is what a last look found, ``removed`` what the sweep removed.
    """

    cluster: str
    region: str
    account: str
    choice: Choice
    stacks: tuple[StackResult, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    forced: tuple[str, ...] = ()
    removed: tuple[Remain, ...] = ()
    left: tuple[Priced, ...] = ()
    kinds: tuple[str, ...] = ()
    calls: int = 0
    unknown: tuple[Unverified, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unwanted(self) -> tuple[Priced, ...]:
        """What costs money and was not chosen to be kept."""
        return tuple(
            one for one in self.left if one.is_billable and one.remain.kind not in self.choice.keep
        )

    @property
    def is_proved(self) -> bool:
        """Whether nothing is left, as far as everything could be looked for."""
        return not self.left and not self.unknown and not self.failures


def to_remove(remains: Collection[Remain], choice: Choice) -> tuple[Remain, ...]:
    """Return what a sweep removes: nothing that was kept, no data without a word, nothing that may belong to another cluster."""
    if not choice.sweep:
        return ()
    return tuple(
        one
        for one in remains
        if one.kind not in choice.keep
        and not one.elsewhere
        and (one.kind not in DATA or choice.delete_volumes)
    )
