"""The state of Auto Scaling groups as frozen values, and the effects that events have on it.

Why it exists: the twin and the embedded AWS keep such a state, feed it events, and carry out the
effects; neither decides anything about Auto Scaling by itself.

Delays are relative to the event (``after_ms``): whoever has the clock decides when they end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lowtide.model.asg import Instance, InstanceShape, Lifecycle, ScalingActivity


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An instance type a group may launch, with prices in USD per hour.

    ``spot_usd_per_hour`` None means that spot is not offered at a known price. ``weight`` is how many units of desired
    capacity one instance is. ``spot_depth`` tells how much spare spot capacity there is, more is deeper; None is unknown.
    """

    instance_type: str
    on_demand_usd_per_hour: float = 0.0
    spot_usd_per_hour: float | None = None
    weight: int = 1
    spot_depth: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """What does not change while a group lives.

    ``offers`` keep the file's order; ``shapes`` are what the autoscaler reads of the launch template. ``desired`` is the
    size at the start. Delays are whole milliseconds; launch delays run from the request to InService.

    ``balances_zones`` launches where the group has the fewest instances; without it zones take turns. With
    ``capacity_rebalance`` an instance that got notice is replaced before it is taken. ``spot_pools`` is over how many of the
    cheapest types the strategy ``lowest-price`` spreads spot in a zone. With ``repeats_failures`` each retry that fails as
    the one before leaves an activity of its own, as on AWS.
    """

    name: str
    min_size: int
    max_size: int
    desired: int
    zones: tuple[str, ...]
    offers: tuple[Offer, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    shapes: tuple[InstanceShape, ...] = ()
    on_demand_base: int = 0
    on_demand_percent: int = 100
    allocation_strategy: str = "price-capacity-optimized"
    on_demand_strategy: str = "prioritized"
    max_spot_usd_per_hour: float | None = None
    suspended_processes: frozenset[str] = frozenset()
    spot_launch_ms: int = 0
    on_demand_launch_ms: int = 0
    terminate_ms: int = 0
    retry_ms: int = 60_000
    notice_ms: int = 120_000
    balances_zones: bool = False
    capacity_rebalance: bool = False
    protects_new: bool = False
    spot_pools: int = 1
    repeats_failures: bool = False

    @property
    def is_weighted(self) -> bool:
        """Whether some instance type is more than one unit of capacity."""
        return any(one.weight != 1 for one in self.offers)

    def units(self, held: Iterable[Instance | Launch]) -> int:
        """Return how many units of desired capacity instances or launches are."""
        weights = {one.instance_type: one.weight for one in self.offers if one.weight != 1}
        return sum(weights.get(one.instance_type, 1) for one in held)

    def launch_ms(self, capacity_type: str) -> int:
        """Return the delay from a launch to InService."""
        return self.spot_launch_ms if capacity_type == "spot" else self.on_demand_launch_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A launch under way; ``id`` is unique in the state and grows with time."""

    id: int
    zone: str
    instance_type: str
    capacity_type: str
    started_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCapacityWindow:
    """EC2 cannot launch in ``from_ms <= now < to_ms``; ``zone`` empty means in no zone of the group.

    A silent window fails without any activity, as spot requests do that stay waiting.
    """

    from_ms: int
    to_ms: int
    zone: str = ""
    code: str = "InsufficientInstanceCapacity"
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPool:
    """EC2 refused a launch in this pool; the group tries the others before it gives up the attempt."""

    zone: str
    instance_type: str
    capacity_type: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A group at one moment. ``instances`` are oldest first and include terminating ones.

    ``failing`` is the last failure that was reported and has not passed: each retry fails the same way, and only a
    failure that differs is news. ``refused`` are the pools that the attempt under way has found shut. ``at_risk`` are
    instances with notice in a group with capacity rebalance: they no longer count as capacity. ``balancing`` is the instance
    that ends when its replacement in another zone is in service.
    """

    config: GroupConfig
    desired: int
    launches: tuple[Launch, ...] = ()
    instances: tuple[Instance, ...] = ()
    activities: tuple[ScalingActivity, ...] = ()
    windows: tuple[NoCapacityWindow, ...] = ()
    next_zone: int = 0
    retry_due: bool = False
    failing: LaunchFailed | None = None
    refused: tuple[RefusedPool, ...] = ()
    at_risk: frozenset[str] = frozenset()
    balancing: str = ""

    @property
    def live(self) -> int:
        """Capacity of the instances that are not terminating: their number, or with weights their units."""
        here = (one for one in self.instances if one.lifecycle is not Lifecycle.TERMINATING)
        return self.config.units(here)

    @property
    def missing(self) -> int:
        """Desired capacity without a live instance or a launch; negative means too many."""
        units = self.config.units
        return self.desired - self.live + units(self.leaving_at_risk) - units(self.launches)

    @property
    def leaving_at_risk(self) -> tuple[Instance, ...]:
        """Instances with notice that are still there and wait for their replacement."""
        if not self.at_risk:
            return ()
        return tuple(
            one
            for one in self.instances
            if one.id in self.at_risk and one.lifecycle is not Lifecycle.TERMINATING
        )

    def instance(self, instance_id: str) -> Instance | None:
        """Return the instance of that id, None when the group has none."""
        return next((one for one in self.instances if one.id == instance_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoScaling:
    """All groups of an account and region, in the order of their creation."""

    groups: Mapping[str, GroupState] = field(default_factory=dict)
    next_instance: int = 1
    next_launch: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchDue:
    """Call ``complete_launch`` after the delay."""

    group: str
    launch_id: int
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDue:
    """Call ``retry`` after the delay: a launch has failed."""

    group: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStarted:
    """An instance is InService."""

    group: str
    instance: Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceGoneDue:
    """The instance is Terminating; call ``finish_termination`` after the delay."""

    group: str
    instance_id: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptionDue:
    """Spot gave notice; call ``reclaim`` after the delay."""

    group: str
    instance_id: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceGone:
    """The instance no longer exists; ``interrupted`` when spot took it."""

    group: str
    instance: Instance
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailed:
    """``count`` instances could not be launched."""

    group: str
    count: int
    code: str
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchCancelled:
    """Launches under way were given up because desired fell."""

    group: str
    count: int


Effect = (
    LaunchDue
    | RetryDue
    | InstanceStarted
    | InstanceGoneDue
    | InterruptionDue
    | InstanceGone
    | LaunchFailed
    | LaunchCancelled
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """AWS said no and nothing changed; ``code`` is the Auto Scaling API's error code."""

    code: str
    message: str


Change = tuple[AutoScaling, tuple[Effect, ...]]
