"""The course of a run as rows over time, for the timeline and the plots.

It must not know how they are drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lowtide.model.run import InstanceUsage, StateRow
from lowtide.model.simulation import Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The cluster from ``at_ms`` until ``until_ms``.

    ``gpu_nodes`` are instances of GPU groups that exist, ``gpu_nodes_ready`` those that offer their GPUs;
    ``gpus_paid`` are the GPUs of those that EC2 charges for, which excludes those that shut down. Zones are those that Simulation.gpu_groups names,
    so a group over several zones is one entry and the entries add up to ``gpu_nodes``.
    """

    at_ms: int
    until_ms: int
    gpu_nodes: int
    gpu_nodes_ready: int
    gpu_nodes_by_group: Mapping[str, int]
    gpu_nodes_by_zone: Mapping[str, int]
    pods_running: int
    pods_pending: int
    pods_finished: int
    gpus_used: int
    gpus_paid: int
    usd_per_hour: float


def zones(simulation: Simulation) -> tuple[str, ...]:
    """Return the zones of the GPU groups, each once, in the order of the groups."""
    return tuple(dict.fromkeys(zone for _, zone in simulation.gpu_groups))


def moments(simulation: Simulation) -> tuple[Moment, ...]:
    """Return one moment per state row that lasts, and the final one; times rise strictly."""
    rows = _last_of_each_time(simulation.states)
    if not rows:
        return ()
    end_ms = max(round(simulation.simulated_seconds * 1000), rows[-1].at_ms)
    ends = itertools.chain((row.at_ms for row in rows[1:]), (end_ms,))
    gpu_groups = {name for name, _ in simulation.gpu_groups}
    paid = _gpus_paid(
        (one for one in simulation.instances if one.group in gpu_groups),
        [row.at_ms for row in rows],
    )
    return tuple(
        _moment(row, until_ms, gpus, simulation.gpu_groups)
        for row, until_ms, gpus in zip(rows, ends, paid, strict=True)
    )


def thin(all_moments: Sequence[Moment], intervals: int) -> tuple[Moment, ...]:
    """Return at most eight moments for each of so many equal spans of time.

    Of each span it keeps the first and the last moment and every series' maximum and, of the GPU
    nodes, the minimum: a peak or a gap between two waves is never lost. What is kept lasts until the
    next one kept.
    """
    if len(all_moments) <= intervals:
        return tuple(all_moments)
    start, span = all_moments[0].at_ms, max(1, all_moments[-1].until_ms - all_moments[0].at_ms)
    kept: list[Moment] = []
    for _, group in itertools.groupby(
        all_moments, key=lambda one: (one.at_ms - start) * intervals // span
    ):
        kept.extend(_notable(tuple(group)))
    ends = itertools.chain((one.at_ms for one in kept[1:]), (all_moments[-1].until_ms,))
    return tuple(replace(one, until_ms=end) for one, end in zip(kept, ends, strict=True))


def maximum_per_column(
    all_moments: Sequence[Moment], value: Callable[[Moment], float], columns: int
) -> list[float]:
    """Return the largest value in each of so many equal spans of time."""
    highest = [0.0] * columns
    if not all_moments:
        return highest
    start, span = all_moments[0].at_ms, max(1, all_moments[-1].until_ms - all_moments[0].at_ms)
    for one in all_moments:
        amount = value(one)
        first = (one.at_ms - start) * columns // span
        last = (max(one.at_ms, one.until_ms - 1) - start) * columns // span
        for column in range(min(first, columns - 1), min(last, columns - 1) + 1):
            highest[column] = max(highest[column], amount)
    return highest


def turning_points(counts: Iterable[int], *, slack: int) -> tuple[int, ...]:
    """Return where a count turned: 0, 4, 7, 10, 9, 10, 3, 0 with slack 2 gives 0, 10, 0.

    A turn back of less than ``slack`` is not one; the last count is always the end.
    """
    turns: list[int] = []
    rising: bool | None = None
    last = 0
    for count in counts:
        last = count
        if not turns:
            turns.append(count)
        elif count == turns[-1]:
            continue
        elif rising is not None and (count > turns[-1]) == rising:
            turns[-1] = count
        elif rising is None or abs(count - turns[-1]) >= slack:
            rising = count > turns[-1]
            turns.append(count)
    if turns and turns[-1] != last:
        turns.append(last)
    return tuple(turns)


def _last_of_each_time(states: Iterable[StateRow]) -> list[StateRow]:
    return list({row.at_ms: row for row in states}.values())


def _gpus_paid(instances: Iterable[InstanceUsage], times_ms: Sequence[int]) -> Iterator[int]:
    """Yield, for each rising time, the GPUs of the instances whose meter runs then."""
    changes: list[tuple[int, int]] = []
    for one in instances:
        changes.append((one.launched_ms, one.gpus))
        if one.metered_until_ms is not None:
            changes.append((one.metered_until_ms, -one.gpus))
    changes.sort()
    gpus, done = 0, 0
    for at_ms in times_ms:
        while done < len(changes) and changes[done][0] <= at_ms:
            gpus += changes[done][1]
            done += 1
        yield gpus


def _moment(
    row: StateRow, until_ms: int, gpus_paid: int, gpu_groups: Sequence[tuple[str, str]]
) -> Moment:
    by_group = {name: row.nodes_by_group.get(name, 0) for name, _ in gpu_groups}
    by_zone: dict[str, int] = {}
    for name, zone in gpu_groups:
        by_zone[zone] = by_zone.get(zone, 0) + by_group[name]
    return Moment(
        at_ms=row.at_ms,
        until_ms=until_ms,
        gpu_nodes=sum(by_group.values()),
        gpu_nodes_ready=sum(row.ready_by_group.get(name, 0) for name, _ in gpu_groups),
        gpu_nodes_by_group=by_group,
        gpu_nodes_by_zone=by_zone,
        pods_running=row.pods_running,
        pods_pending=row.pods_pending,
        pods_finished=row.pods_finished,
        gpus_used=row.gpus_used,
        gpus_paid=gpus_paid,
        usd_per_hour=row.usd_per_hour,
    )


def _notable(span: Sequence[Moment]) -> list[Moment]:
    chosen = {
        span[0].at_ms: span[0],
        span[-1].at_ms: span[-1],
    }
    for one in (
        max(span, key=lambda moment: moment.gpu_nodes),
        min(span, key=lambda moment: moment.gpu_nodes),
        max(span, key=lambda moment: moment.pods_running),
        max(span, key=lambda moment: moment.pods_pending),
        max(span, key=lambda moment: moment.gpus_used),
        max(span, key=lambda moment: moment.usd_per_hour),
    ):
        chosen[one.at_ms] = one
    return [chosen[at_ms] for at_ms in sorted(chosen)]
