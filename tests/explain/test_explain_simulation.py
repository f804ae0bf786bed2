"""The whole priced run, and what holds for every run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.explain.baselines import baselines_of
from lowtide.explain.costs import cost_of
from lowtide.explain.rates import around_usd_per_hour, priced_states
from lowtide.explain.simulation import simulation_of
from lowtide.explain.usage import gpu_hours
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.run import InstanceUsage, PodUsage, RunRecord, Transfer
from lowtide.model.simulation import Cost
from tests.explain.records import (
    BARGAIN,
    BIG,
    HOUR,
    MINUTE,
    SMALL,
    UNSOLD_SPOT,
    cluster,
    general_group,
    general_instance,
    group,
    instance,
    pod,
    record,
    state,
)

CLUSTER = cluster(
    general_group(),
    group("gpu-a", SMALL, UNSOLD_SPOT, private_networking=False),
    group("gpu-b", BIG),
    region=[SMALL, BIG, UNSOLD_SPOT, BARGAIN],
)
# A busy machine is no failure: neither examples nor their making are timed.
any_machine = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
TYPES = {
    "general": [("plain.large", 0, 0.2, "on-demand")],
    "gpu-a": [("small.1gpu", 1, 0.4, "spot"), ("rare.1gpu", 1, 0.9, "on-demand")],
    "gpu-b": [("big.4gpu", 4, 1.2, "spot"), ("big.4gpu", 4, 4.0, "on-demand")],
}


@st.composite
def lives(draw: st.DrawFn, number: int, duration_ms: int) -> tuple[InstanceUsage, PodUsage]:
    """An instance, and a pod that sat on it for some of the time."""
    group_name = draw(st.sampled_from(sorted(TYPES)))
    kind, gpus, usd_per_hour, capacity_type = draw(st.sampled_from(TYPES[group_name]))
    launched_ms, bound_ms, pod_end_ms, ended_ms = sorted(
        draw(st.tuples(*[st.integers(0, duration_ms)] * 4))
    )
    outlives = draw(st.booleans())
    # A pod may sit on a node that shuts down, and may even come late to it.
    terminating_ms = draw(st.none() | st.integers(launched_ms, ended_ms))
    usage = instance(
        group_name,
        launched_ms,
        None if outlives else ended_ms,
        id=f"i-{number}",
        node=f"node-{number}",
        instance_type=kind,
        gpus=gpus,
        usd_per_hour=usd_per_hour,
        capacity_type=capacity_type,
        terminating_ms=terminating_ms,
        interrupted=not outlives and terminating_ms is None and draw(st.booleans()),
    )
    holder = pod(
        f"pod-{number}",
        draw(st.integers(0, bound_ms)),
        bound_ms,
        bound_ms,
        pod_end_ms,
        gpus=draw(st.integers(0, gpus)),
        cpu_milli=draw(st.integers(0, 2_000)),
        node=f"node-{number}",
    )
    return usage, holder


@st.composite
def runs(draw: st.DrawFn) -> RunRecord:
    duration_ms = draw(st.integers(1, 5 * HOUR))
    both = [draw(lives(n, duration_ms)) for n in range(draw(st.integers(0, 8)))]
    moments = st.integers(0, duration_ms)
    transfers = st.builds(
        Transfer,
        at_ms=moments,
        path=st.sampled_from(["nat", "cross-zone", "s3"]),
        bytes=st.integers(0, 10**12),
    )
    return record(
        duration_ms,
        instances=tuple(usage for usage, _ in both),
        pods=tuple(holder for _, holder in both),
        transfers=tuple(draw(st.lists(transfers, max_size=4))),
        states=tuple(state(at_ms) for at_ms in draw(st.lists(moments, max_size=6))),
    )


def parts_of(cost: Cost) -> dict[str, float]:
    return {name: usd for name, usd in dataclasses.asdict(cost).items() if name != "total"}


def after(run: RunRecord, start_ms: int) -> tuple[list[InstanceUsage], list[Transfer]]:
    """The run's instances and transfers, moved to a later start."""
    instances = [
        replace(
            one,
            launched_ms=one.launched_ms + start_ms,
            ended_ms=(run.duration_ms if one.ended_ms is None else one.ended_ms) + start_ms,
            terminating_ms=None if one.terminating_ms is None else one.terminating_ms + start_ms,
        )
        for one in run.instances
    ]
    return instances, [replace(one, at_ms=one.at_ms + start_ms) for one in run.transfers]


def one_after_the_other(first: RunRecord, second: RunRecord) -> RunRecord:
    early, late = after(first, 0), after(second, first.duration_ms)
    return record(
        first.duration_ms + second.duration_ms,
        instances=(*early[0], *late[0]),
        transfers=(*early[1], *late[1]),
    )


def rate_by_looking_at_every_instance(
    instances: Sequence[InstanceUsage], at_ms: int, where: ResolvedCluster
) -> float:
    """The slow and obvious way."""
    network = where.network
    usd = where.control_plane_usd_per_hour
    usd += network.nat_gateways * (network.nat_usd_per_hour + network.public_ipv4_usd_per_hour)
    for one in instances:
        if one.launched_ms <= at_ms and (one.ended_ms is None or at_ms < one.ended_ms):
            usd += around_usd_per_hour(where.group(one.group), network)
            metered = one.terminating_ms is None or at_ms < one.terminating_ms
            usd += one.usd_per_hour if metered else 0.0
    return usd


@any_machine
@given(runs())
def test_the_total_is_the_sum_of_its_parts_and_nothing_is_negative(run: RunRecord) -> None:
    cost = cost_of(run, CLUSTER)

    assert cost.total == pytest.approx(sum(parts_of(cost).values()))
    assert min(parts_of(cost).values()) >= 0


@any_machine
@given(runs())
def test_no_more_gpu_hours_are_held_than_billed(run: RunRecord) -> None:
    hours = gpu_hours(run)

    assert hours.requested <= hours.billed
    assert 0 <= hours.utilization <= 1


@any_machine
@given(runs())
def test_the_region_is_never_dearer_than_the_file(run: RunRecord) -> None:
    baseline, _ = baselines_of(run, CLUSTER)

    assert 0 <= baseline.cheapest_in_region <= baseline.cheapest_possible


@any_machine
@given(runs())
def test_the_cheapest_possible_never_exceeds_what_the_held_time_cost_on_its_own_nodes(
    run: RunRecord,
) -> None:
    baseline, _ = baselines_of(run, CLUSTER)
    price_of_node = {one.node: one.usd_per_hour / one.gpus for one in run.instances if one.gpus}
    held = [one for one in run.pods if one.gpus]
    paid = sum(
        one.gpus * ((one.ended_ms or 0) - (one.bound_ms or 0)) / HOUR * price_of_node[one.node]
        for one in held
    )

    assert baseline.cheapest_possible <= paid * (1 + 1e-9)


@any_machine
@given(runs(), runs())
def test_two_runs_one_after_the_other_cost_what_they_cost_alone(
    first: RunRecord, second: RunRecord
) -> None:
    # A run that is over has no instance in the air: close them first, as the longer run sees them.
    first, second = (replace(one, instances=tuple(after(one, 0)[0])) for one in (first, second))

    together = parts_of(cost_of(one_after_the_other(first, second), CLUSTER))

    alone = [parts_of(cost_of(one, CLUSTER)) for one in (first, second)]
    for name, usd in together.items():
        assert usd == pytest.approx(alone[0][name] + alone[1][name])


@any_machine
@given(runs(), st.randoms(use_true_random=False))
def test_the_order_of_a_record_changes_nothing(run: RunRecord, random: Random) -> None:
    shuffled = list(run.instances)
    random.shuffle(shuffled)
    other = replace(run, instances=tuple(shuffled), pods=run.pods[::-1])

    assert cost_of(other, CLUSTER) == cost_of(run, CLUSTER)
    assert baselines_of(other, CLUSTER) == baselines_of(run, CLUSTER)


@any_machine
@given(runs())
def test_the_sweep_finds_the_rate_that_looking_at_every_instance_finds(run: RunRecord) -> None:
    for row in priced_states(run, CLUSTER):
        slow = rate_by_looking_at_every_instance(run.instances, row.at_ms, CLUSTER)
        assert row.usd_per_hour == pytest.approx(slow, abs=1e-8)


@any_machine
@given(runs())
def test_the_rate_over_time_never_exceeds_the_bill(run: RunRecord) -> None:
    """Integrated, the rate is the bill without data, minimum minutes and waived first hours."""
    whole = replace(
        run,
        states=tuple(state(at_ms) for at_ms in edges(run)),
        transfers=(),
        instances=tuple(replace(one, interrupted=False) for one in run.instances),
    )
    rows = priced_states(whole, CLUSTER)

    until = [*(row.at_ms for row in rows[1:]), run.duration_ms]
    area = sum(
        row.usd_per_hour * (end_ms - row.at_ms) / HOUR
        for row, end_ms in zip(rows, until, strict=True)
    )

    assert area <= cost_of(whole, CLUSTER).total + 1e-6


def edges(run: RunRecord) -> list[int]:
    moments = {0}
    for one in run.instances:
        moments |= {one.launched_ms, run.duration_ms if one.ended_ms is None else one.ended_ms}
        moments |= set() if one.terminating_ms is None else {one.terminating_ms}
    return sorted(moments)


def test_a_simulation_says_everything_about_a_run() -> None:
    run = record(
        HOUR,
        seed=7,
        instances=(
            general_instance(),
            instance("gpu-a", 0, 30 * MINUTE, node="ip-1", interrupted=True),
        ),
        pods=(
            pod("p", 0, 5 * MINUTE, 6 * MINUTE, 25 * MINUTE, node="ip-1"),
            pod("q", 30 * MINUTE, outcome="pending"),
        ),
        states=(state(0), state(30 * MINUTE)),
        interruptions=1,
        notices=("said twice", "by the twin"),
    )
    where = replace(CLUSTER, notices=("by the file", "said twice"))

    whole = simulation_of(run, where)

    assert (whole.cluster, whole.region, whole.seed, whole.ended) == (
        "noble",
        "us-east-1",
        7,
        "until",
    )
    assert whole.simulated_seconds == 3600.0
    assert (whole.pods.total, whole.pods.finished, whole.pods.pending) == (2, 1, 1)
    assert whole.wait_seconds.max == 360.0
    assert (whole.nodes.gpu_peak, whole.nodes.gpu_final, whole.nodes.gpu_launched) == (1, 0, 1)
    assert whole.gpu_hours.requested == pytest.approx(20 / 60)
    assert whole.gpu_hours.unmet == pytest.approx(30 / 60)
    assert whole.interruptions == 1
    assert whole.cost_usd == cost_of(run, where)
    assert whole.baseline_usd.always_on_on_demand == pytest.approx(1.0)
    assert whole.states == priced_states(run, where)
    assert whole.gpu_groups == (("gpu-a", "us-east-1a"), ("gpu-b", "us-east-1a"))
    assert whole.notices[:3] == ("by the file", "said twice", "by the twin")
    assert "rare.1gpu" in whole.notices[3]
