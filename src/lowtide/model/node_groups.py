"""Node groups of a live cluster, as Auto Scaling and EC2 show them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from lowtide.model.cluster import bought


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenInstance:
    """An instance of a group. ``state`` is Auto Scaling's word (``InService``, ``Pending``, ``Terminating``, …)."""

    id: str
    instance_type: str
    zone: str
    state: str
    spot: bool = False
    launched_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenGroup:
    """An Auto Scaling group of a cluster.

    ``name`` is the node group's, ``asg`` the Auto Scaling group's. ``owner`` is the cluster whose lowtide made it, empty for others.
    ``types`` are in the order of its overrides; ``on_demand_base`` and ``on_demand_percent`` share them out as in the cluster file.
    ``trouble`` is why its last launch failed, empty where it did not; ``lost`` counts the instances that EC2 took away in a day.
    """

    name: str
    asg: str
    managed: bool
    owner: str
    min_size: int
    max_size: int
    desired: int
    zones: tuple[str, ...]
    types: tuple[str, ...]
    on_demand_base: int = 0
    on_demand_percent: int = 100
    instances: tuple[SeenInstance, ...] = ()
    trouble: str = ""
    lost: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)

    def bought(self, nodes: int) -> tuple[int, int]:
        """Return how many of that many nodes are on-demand and how many are spot."""
        return bought(nodes, base=self.on_demand_base, percent=self.on_demand_percent)
