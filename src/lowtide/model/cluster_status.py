"""What a live cluster is doing: groups, nodes, GPUs, pods that wait, and what it costs now."""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.model.catalog import PriceDates


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """An instance and the node that it is, if it is one.

    ``state`` is ``ready``, ``not ready``, or Auto Scaling's word for an instance that is no node yet. ``gpus`` are those that the node offers.
    ``usd_per_hour`` None means that no price is known.
    """

    name: str
    group: str
    instance_id: str
    instance_type: str
    zone: str
    spot: bool
    state: str
    gpus: int
    gpus_used: int
    age_s: float | None
    usd_per_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A node group: bounds, what it wants, has, and has ready; ``trouble`` is why its last launch failed."""

    name: str
    types: tuple[str, ...]
    zones: tuple[str, ...]
    bought: str
    min_size: int
    max_size: int
    desired: int
    in_service: int
    ready: int
    gpus: int
    lost: int
    trouble: str
    usd_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPods:
    """Pods of one owner that wait for the same reason; ``since_s`` is for how long the first of them has waited."""

    owner: str
    pods: tuple[str, ...]
    gpus: int
    reason: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCount:
    """GPUs that pods ask for, that running pods hold, and that nodes offer."""

    asked: int
    held: int
    offered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostNow:
    """USD per hour at this moment. ``fixed`` is control plane and NAT, ``around`` volumes and addresses of nodes.

    ``without`` names what is left out because only the cluster's file says it. ``unpriced`` are types without a price.
    """

    nodes: float
    fixed: float
    around: float
    without: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """All of it."""
        return self.nodes + self.fixed + self.around


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerProgram:
    """Which autoscaler runs: ``kind`` is ``upstream`` or ``lowtide`` (its engine, in a box), empty while nobody can say.

    ``image`` is what the Deployment asks for, ``ready`` and ``wanted`` are its pods.
    """

    kind: str
    image: str
    ready: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """The whole.

    ``kubernetes`` is why the API server could not be asked, empty where it was: nodes' readiness, GPUs and pods are unknown then.
    ``autoscaler`` is what the autoscaler says of itself, empty where there is none; ``program`` is which one it is.
    """

    name: str
    region: str
    account: str
    status: str
    version: str
    ours: bool
    at: str
    groups: tuple[GroupRow, ...]
    nodes: tuple[NodeRow, ...]
    gpus: GpuCount
    waiting: tuple[WaitingPods, ...]
    pods_running: int
    cost: CostNow
    price_dates: PriceDates
    autoscaler: str = ""
    program: AutoscalerProgram | None = None
    kubernetes: str = ""

    @property
    def lost(self) -> int:
        """Instances that EC2 took away in the last day."""
        return sum(one.lost for one in self.groups)
