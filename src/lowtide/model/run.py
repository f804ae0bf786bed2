"""The run record: what the twin writes down, and what reports and costs are made from.

Times are whole milliseconds from the start of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceUsage:
    """One EC2 instance from launch to its end; ``ended_ms`` None means that it still exists.

    ``terminating_ms`` is when it began to shut down: EC2's meter stops there, while its volume and its address live until
    ``ended_ms``. It is None for an instance that runs, and for one that spot took. ``node_ready_ms`` and ``gpu_ready_ms`` are None until the node was Ready, and offered its GPUs.
    ``interrupted`` marks an instance that spot took back.
    """

    id: str
    group: str
    instance_type: str
    zone: str
    capacity_type: str
    gpus: int
    launched_ms: int
    ended_ms: int | None
    usd_per_hour: float
    node: str = ""
    terminating_ms: int | None = None
    node_ready_ms: int | None = None
    gpu_ready_ms: int | None = None
    interrupted: bool = False

    @property
    def metered_until_ms(self) -> int | None:
        """When EC2 stops charging for it, None while it charges.

        AWS charges for ``running``, no longer for ``shutting-down`` (EC2 User Guide, "Amazon EC2 instance state changes").
        """
        return self.ended_ms if self.terminating_ms is None else self.terminating_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class PodUsage:
    """One pod of the user (not kube-system) from creation to its end.

    ``outcome`` is ``finished`` (exited by itself), ``stopped`` (deleted while it ran), ``running``, ``pending``,
    ``cancelled`` (deleted before it ran) or ``lost`` (evicted or its node vanished; its controller made another).
    """

    name: str
    namespace: str
    workload: str
    gpus: int
    cpu_milli: int
    memory_bytes: int
    created_ms: int
    bound_ms: int | None
    running_ms: int | None
    ended_ms: int | None
    outcome: str
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Bytes that crossed a priced boundary: ``nat``, ``cross-zone`` or ``s3`` (the free gateway endpoint)."""

    at_ms: int
    path: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """The cluster between this moment and the next row.

    ``nodes_by_group`` counts instances that exist, those that shut down included, ``ready_by_group`` nodes that are Ready and offer their GPUs.
    """

    at_ms: int
    nodes_by_group: Mapping[str, int]
    ready_by_group: Mapping[str, int]
    desired_by_group: Mapping[str, int]
    pods_running: int
    pods_pending: int
    pods_finished: int
    gpus_used: int
    usd_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One line of the decision list a person reads: who decided what, when and why."""

    at_ms: int
    actor: str
    action: str
    subject: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPods:
    """Pods that never ran, grouped by cause.

    ``reasons`` maps every node and group (``node/NAME``, ``group/NAME``) to its last reasons. ``cause`` is one sentence.
    """

    pods: tuple[str, ...]
    cause: str
    reasons: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A whole run. ``log`` is the event log, a line each.

    ``ended`` is ``until``, ``quiet`` or ``maxDuration``. A run that ends ``quiet`` lasts until the last thing that
    happened, not until that was sure.
    """

    cluster: str
    seed: int
    ended: str
    duration_ms: int
    instances: tuple[InstanceUsage, ...] = ()
    pods: tuple[PodUsage, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    states: tuple[StateRow, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    refused: tuple[RefusedPods, ...] = ()
    interruptions: int = 0
    notices: tuple[str, ...] = ()
    log: tuple[str, ...] = field(default=(), repr=False)
