"""What the same GPU work would have cost otherwise: always on, and at the lowest prices there are.

Why it exists: a cost means something only beside what it could have been. The figures are the GPU
nodes' alone, to be set beside gpu_spot + gpu_on_demand, and know no minimum of 60 s.

What it must not know: the run's own bill.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lowtide.explain.billing import MS_PER_HOUR
from lowtide.explain.rates import metered_span_of
from lowtide.explain.sweep import NANO, Span, timeline_of
from lowtide.explain.usage import held_ms, metered_until_ms_by_node
from lowtide.model.catalog import Offering
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.quantity import CPU, MEMORY, MIB, NVIDIA_GPU
from lowtide.model.run import RunRecord
from lowtide.model.simulation import Baseline


class _Shape(NamedTuple):
    """What a pod asks for, or what a node offers."""

    gpus: int
    cpu_milli: int
    memory_bytes: int


class _Option(NamedTuple):
    """An instance type that may hold pods, at the lower of its spot and its on-demand price."""

    instance_type: str
    offers: _Shape
    usd_per_gpu_hour: float
    has_spot_price: bool

    def can_hold(self, asked: _Shape, ran_on: str) -> bool:
        # Allocatable is a lower bound: the type that did hold the pod could, whatever the bound says.
        fits = all(need <= have for need, have in zip(asked, self.offers, strict=True))
        return fits or self.instance_type == ran_on


def baselines_of(record: RunRecord, cluster: ResolvedCluster) -> tuple[Baseline, tuple[str, ...]]:
    """Return the baselines of a run, and what has to be said about their prices.

    Raises:
        KeyError: an instance's type is not among the candidates of its group.
    """
    work = _gpu_hours_by_shape(record)
    in_file = _options_of_file(cluster)
    # The file's own types are on sale in the region too; so the region is never dearer than the file.
    in_region = [*in_file, *_options_of_region(cluster.regional_offerings)]
    possible, regional = _cheapest(work, in_file), _cheapest(work, in_region)
    baseline = Baseline(
        always_on_on_demand=math.fsum(
            _always_on_usd(group, record) for group in cluster.node_groups if group.is_gpu
        ),
        cheapest_possible=_usd(work, possible),
        cheapest_in_region=_usd(work, regional),
        cheapest_in_region_types=tuple(sorted({one.instance_type for one in regional.values()})),
    )
    considered = [*in_file, *possible.values(), *regional.values()] if work else []
    return baseline, _missing_spot_prices(considered, cluster.region)


def _always_on_usd(group: NodeGroup, record: RunRecord) -> float:
    """Price the instances of the group's peak on demand for the whole run."""
    usd_per_hour = {
        one.offering.instance_type.name: one.offering.on_demand_usd_per_hour
        for one in group.candidates
    }
    spans: Iterable[Span] = (
        metered_span_of(one, record.duration_ms, usd_per_hour[one.instance_type])
        for one in record.instances
        if one.group == group.name
    )
    fleet = timeline_of(spans).peak()
    return fleet.nano_usd_per_hour / NANO * record.duration_ms / MS_PER_HOUR


def _gpu_hours_by_shape(record: RunRecord) -> dict[tuple[_Shape, str], float]:
    """Sum the held GPU-hours of pods of one shape that ran on one type."""
    type_of_node = {one.node: one.instance_type for one in record.instances if one.node}
    metered = metered_until_ms_by_node(record)
    held: defaultdict[tuple[_Shape, str], int] = defaultdict(int)
    for pod in record.pods:
        if pod.gpus and pod.bound_ms is not None:
            shape = _Shape(pod.gpus, pod.cpu_milli, pod.memory_bytes)
            key = (shape, type_of_node.get(pod.node, ""))
            held[key] += pod.gpus * held_ms(pod, metered.get(pod.node, record.duration_ms))
    return {key: gpu_ms / MS_PER_HOUR for key, gpu_ms in held.items()}


def _options_of_file(cluster: ResolvedCluster) -> list[_Option]:
    options = []
    for group in cluster.node_groups:
        for one in group.candidates:
            gpus = one.capacity.get(NVIDIA_GPU, 0)
            room = one.allocatable
            if gpus:
                offers = _Shape(gpus, room.get(CPU, 0), room.get(MEMORY, 0))
                options.append(_option(one.offering, offers))
    return options


def _options_of_region(offerings: Iterable[Offering]) -> list[_Option]:
    options = []
    for one in offerings:
        kind = one.instance_type
        if kind.nvidia_gpus:
            offers = _Shape(kind.nvidia_gpus, kind.vcpu * 1000, kind.memory_mib * MIB)
            options.append(_option(one, offers))
    return options


def _option(offering: Offering, offers: _Shape) -> _Option:
    spot, on_demand = offering.spot_usd_per_hour, offering.on_demand_usd_per_hour
    # Spot can be the dearer one (the advisor's savings are negative then); nobody would take it.
    usd_per_hour = on_demand if spot is None else min(spot, on_demand)
    return _Option(
        offering.instance_type.name, offers, usd_per_hour / offers.gpus, spot is not None
    )


def _cheapest(
    work: Iterable[tuple[_Shape, str]], options: Sequence[_Option]
) -> dict[tuple[_Shape, str], _Option]:
    """Choose for each shape the cheapest type per GPU that could have held it.

    A pod that no type can hold and whose node is not known is priced at the cheapest type of all: the
    figure stays a lower bound.
    """
    chosen = {}
    for asked, ran_on in work:
        able = [one for one in options if one.can_hold(asked, ran_on)] or options
        if able:
            chosen[asked, ran_on] = min(able, key=lambda one: one.usd_per_gpu_hour)
    return chosen


def _usd(work: dict[tuple[_Shape, str], float], chosen: dict[tuple[_Shape, str], _Option]) -> float:
    return math.fsum(work[key] * option.usd_per_gpu_hour for key, option in chosen.items())


def _missing_spot_prices(options: Iterable[_Option], region: str) -> tuple[str, ...]:
    missing = sorted({one.instance_type for one in options if not one.has_spot_price})
    if not missing:
        return ()
    types = ", ".join(missing)
    return (f"No spot price is known for {types} in {region}: the baselines use on-demand there.",)
