"""What ``plan`` says about a cluster that does not exist yet: stacks, objects, prices, support.

Made by ``app`` from the resolved cluster, its templates and its manifests; reports read it and compute nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lowtide.model.cluster import ResolvedCluster
from lowtide.model.meta import Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStack:
    """A CloudFormation stack to be created; ``resources`` counts them by type, in the template's order."""

    name: str
    file: str
    why: str
    resources: Mapping[str, int]
    capabilities: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of resources."""
        return sum(self.resources.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCost:
    """What a node group costs per hour, in USD, each node with its volume and its public address.

    ``worst_case`` is at maximum size and the shown prices of its dearest type; ``ceiling`` the same when every spot node costs the
    most that the group pays for one (its own limit, or the on-demand price).
    """

    name: str
    at_minimum_usd_per_hour: float
    worst_case_usd_per_hour: float
    ceiling_usd_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPrice:
    """USD per GPU and hour of an instance type, the instance alone; spot None where it is not known."""

    instance_type: str
    gpu: str
    gpus: int
    spot_usd_per_gpu_hour: float | None
    on_demand_usd_per_gpu_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCost:
    """What a cluster costs per hour, in USD.

    ``nodes`` are those of the groups' minimum sizes; ``idle`` is the sum of the first three. ``worst_case`` and ``ceiling`` have every
    group at its maximum (see GroupCost). Data by the GB is not in any of them.
    """

    control_plane_usd_per_hour: float
    gateways_usd_per_hour: float
    nodes_usd_per_hour: float
    worst_case_usd_per_hour: float
    ceiling_usd_per_hour: float
    hours_per_month: int
    groups: tuple[GroupCost, ...]
    gpu_prices: tuple[GpuPrice, ...]

    @property
    def idle_usd_per_hour(self) -> float:
        """What is paid while nobody uses the cluster."""
        return (
            self.control_plane_usd_per_hour + self.gateways_usd_per_hour + self.nodes_usd_per_hour
        )

    @property
    def idle_usd_per_month(self) -> float:
        """Idle for a whole month."""
        return self.idle_usd_per_hour * self.hours_per_month

    @property
    def worst_case_usd_per_month(self) -> float:
        """Every group at its maximum for a whole month."""
        return self.worst_case_usd_per_hour * self.hours_per_month


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportLeft:
    """How long AWS supports the Kubernetes minor at the standard price.

    ``until`` is a day (ISO 8601), empty where EKS had not published it; ``days_left`` is None then, and below zero when it is over.
    """

    version: str
    until: str
    days_left: int | None
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A cluster to be created.

    ``today`` is the day from which ``support`` counts (ISO 8601). ``notes`` are what creating it leaves to a person.
    """

    cluster: ResolvedCluster
    stacks: tuple[PlannedStack, ...]
    objects: tuple[Meta, ...]
    cost: PlanCost
    support: SupportLeft
    today: str
    notes: tuple[str, ...] = ()

    @property
    def resources(self) -> int:
        """Number of AWS resources in all stacks."""
        return sum(one.count for one in self.stacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyChange:
    """One property of a rendered file that a change of the cluster file moves.

    ``where`` is the object or the logical id with the path below it; ``before`` or ``after`` is None for what comes or goes.
    ``replaces`` is ``always`` where CloudFormation makes a new resource and deletes the old one, ``sometimes`` where it depends on
    the values, ``never`` where the resource is updated in place, ``deletes`` and ``creates`` where the whole resource goes or comes,
    and empty outside resources.
    """

    where: str
    before: str | None
    after: str | None
    replaces: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A rendered file that comes (``added``), goes (``removed``) or is ``changed``."""

    path: str
    kind: str
    changes: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedDiff:
    """What rendering would do to a folder. ``facts`` says where the knowledge of replacements comes from."""

    folder: str
    files: tuple[FileChange, ...]
    facts: str

    def replaced(self, answer: str = "always") -> tuple[str, ...]:
        """Return the logical ids, with their file, of resources that CloudFormation would make anew (or ``sometimes``)."""
        return tuple(
            dict.fromkeys(
                f"{file.path}: {one.where.partition('.')[0]}"
                for file in self.files
                for one in file.changes
                if one.replaces == answer
            )
        )

    @property
    def deleted(self) -> tuple[str, ...]:
        """Logical ids, with their file, of resources that are in no template any more."""
        return tuple(
            f"{file.path}: {one.where}"
            for file in self.files
            for one in file.changes
            if one.replaces == "deletes"
        )
