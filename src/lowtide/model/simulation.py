"""The priced run: what ``simulate`` prints. Field names are those of the JSON in DESIGN."""

from __future__ import annotations

from dataclasses import dataclass, field

from lowtide.model.catalog import PriceDates
from lowtide.model.run import DecisionRow, InstanceUsage, PodUsage, RefusedPods, StateRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCounts:
    """The user's pods at the end of the run."""

    total: int
    finished: int
    stopped: int
    running: int
    pending: int
    refused: tuple[RefusedPods, ...]
    cancelled: int = 0
    """Deleted before they ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds from a pod's creation to its container running, over the pods that ran."""

    mean: float
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCounts:
    """Nodes over the run."""

    gpu_peak: int
    gpu_final: int
    gpu_launched: int
    general_peak: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuHours:
    """GPU-hours held by pods, asked for but not served, paid for, and held / paid."""

    requested: float
    unmet: float
    billed: float
    utilization: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """USD of the run."""

    total: float
    gpu_spot: float
    gpu_on_demand: float
    general: float
    control_plane: float
    network: float
    storage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """USD of GPU nodes alone, to be set beside gpu_spot + gpu_on_demand.

    ``cheapest_in_region_types`` are the instance types that ``cheapest_in_region`` is priced with.
    """

    always_on_on_demand: float
    cheapest_possible: float
    cheapest_in_region: float
    cheapest_in_region_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A run with its costs, ready for any report. ``gpu_groups`` pairs each GPU group with its zone(s)."""

    cluster: str
    region: str
    seed: int
    ended: str
    simulated_seconds: float
    pods: PodCounts
    wait_seconds: Waits
    nodes: NodeCounts
    gpu_hours: GpuHours
    interruptions: int
    cost_usd: Cost
    baseline_usd: Baseline
    states: tuple[StateRow, ...]
    decisions: tuple[DecisionRow, ...]
    instances: tuple[InstanceUsage, ...]
    pod_usages: tuple[PodUsage, ...]
    gpu_groups: tuple[tuple[str, str], ...]
    notices: tuple[str, ...] = ()
    price_dates: PriceDates = field(default_factory=PriceDates)
