"""What the same work would have cost otherwise, by hand."""

from __future__ import annotations

import pytest

from lowtide.explain.baselines import baselines_of
from lowtide.model.quantity import GIB
from tests.explain.records import (
    BARGAIN,
    BIG,
    HOUR,
    MINUTE,
    PLAIN,
    SMALL,
    UNSOLD_SPOT,
    cluster,
    general_group,
    general_instance,
    group,
    instance,
    offering,
    pod,
    record,
)


def test_always_on_is_each_groups_peak_on_demand_for_the_whole_run() -> None:
    run = record(
        2 * HOUR,
        instances=(
            general_instance(),  # not a GPU group
            instance("gpu-a", 0, 30 * MINUTE),
            instance("gpu-a", 10 * MINUTE, 20 * MINUTE),  # peak of gpu-a: 2
            instance("gpu-b", HOUR, None),  # peak of gpu-b: 1, at another time
        ),
    )

    baseline, _ = baselines_of(
        run, cluster(general_group(), group("gpu-a", SMALL), group("gpu-b", SMALL))
    )

    # (2 + 1) nodes x 1.00 on demand x 2 h
    assert baseline.always_on_on_demand == pytest.approx(6.0)


def test_a_node_that_shuts_down_beside_its_successor_does_not_raise_the_peak() -> None:
    run = record(
        HOUR,
        instances=(
            instance("gpu-a", 0, 31 * MINUTE, terminating_ms=30 * MINUTE),
            instance("gpu-a", 30 * MINUTE, None),
        ),
    )

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL)))

    assert baseline.always_on_on_demand == pytest.approx(1.0)


def test_always_on_of_a_mixed_group_keeps_the_types_of_its_peak() -> None:
    big = {"instance_type": "big.4gpu", "gpus": 4, "usd_per_hour": 1.2}
    run = record(
        HOUR,
        instances=(
            instance("gpu-a", 0, 10 * MINUTE),
            instance("gpu-a", 0, 10 * MINUTE),  # two small ones: 2 x 1.00
            instance("gpu-a", 20 * MINUTE, 30 * MINUTE),
            instance("gpu-a", 20 * MINUTE, 30 * MINUTE, **big),  # two again: 1.00 + 4.00
            instance("gpu-a", 40 * MINUTE, 50 * MINUTE, **big),  # one alone is no peak
        ),
    )

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL, BIG)))

    assert baseline.always_on_on_demand == pytest.approx(5.0)


def test_cheapest_possible_takes_the_cheapest_spot_gpu_that_could_have_held_the_pod() -> None:
    run = record(
        HOUR,
        pods=(
            # 1 GPU for 1 h: small costs 0.40 a GPU-hour, big 1.20 / 4 = 0.30.
            pod("one", 0, 0, 0, HOUR),
            # 4 GPUs for half an hour: big alone, 4 x 0.5 x 0.30.
            pod("four", 0, 30 * MINUTE, 30 * MINUTE, HOUR, gpus=4),
            # No GPU: costs nothing here.
            pod("cpu", 0, 0, 0, HOUR, gpus=0),
            # Never held anything.
            pod("pending", 0, outcome="pending"),
        ),
    )

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL), group("gpu-b", BIG)))

    assert baseline.cheapest_possible == pytest.approx(0.30 + 0.60)


@pytest.mark.parametrize(
    ("cpu_milli", "memory_gib", "usd"),
    [
        (1_900, 7, 0.10),  # fits 2 vCPU and 8 GiB less what the node keeps
        (1_901, 7, 0.40),  # one milli-CPU too much for it: the small type
        (1_900, 8, 0.40),  # as much memory as it has, which is more than it can give
    ],
)
def test_a_type_counts_only_if_cpu_and_memory_fit_what_a_node_can_give(
    cpu_milli: int, memory_gib: int, usd: float
) -> None:
    run = record(
        HOUR,
        pods=(pod("p", 0, 0, 0, HOUR, cpu_milli=cpu_milli, memory_bytes=memory_gib * GIB),),
    )

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL, BARGAIN)))

    assert baseline.cheapest_possible == pytest.approx(usd)


def test_the_type_that_held_a_pod_could_hold_it_whatever_the_lower_bound_says() -> None:
    run = record(
        HOUR,
        instances=(instance("gpu-a", 0, None, node="ip-1"),),
        # 15.5 GiB is above the small type's bound of 15 GiB, yet the pod ran there.
        pods=(pod("p", 0, 0, 0, HOUR, memory_bytes=31 * GIB // 2, node="ip-1"),),
    )

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL)))

    assert baseline.cheapest_possible == pytest.approx(0.40)


def test_cheapest_in_region_looks_at_every_type_on_sale() -> None:
    run = record(HOUR, pods=(pod("p", 0, 0, 0, HOUR),))

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL), region=[SMALL, BIG, BARGAIN]))

    assert baseline.cheapest_possible == pytest.approx(0.40)
    assert baseline.cheapest_in_region == pytest.approx(0.10)
    assert baseline.cheapest_in_region_types == (BARGAIN.instance_type.name,)


def test_a_type_of_the_region_counts_with_all_that_it_has() -> None:
    # What a node of a type outside the file can give is not known: 2 vCPU and 8 GiB are the bargain's whole size.
    run = record(HOUR, pods=(pod("p", 0, 0, 0, HOUR, cpu_milli=2_000, memory_bytes=8 * GIB),))

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL, BARGAIN), region=[BARGAIN]))

    assert baseline.cheapest_possible == pytest.approx(0.40)
    assert baseline.cheapest_in_region == pytest.approx(0.10)


def test_types_without_gpus_are_no_place_for_gpu_work() -> None:
    run = record(HOUR, pods=(pod("p", 0, 0, 0, HOUR),))

    baseline, _ = baselines_of(run, cluster(group("gpu-a", PLAIN, SMALL), region=[PLAIN]))

    assert baseline.cheapest_possible == pytest.approx(0.40)
    assert baseline.cheapest_in_region == pytest.approx(0.40)


def test_a_type_without_a_spot_price_is_counted_on_demand_and_said_so() -> None:
    run = record(HOUR, pods=(pod("p", 0, 0, 0, HOUR),))

    baseline, notices = baselines_of(run, cluster(group("gpu-a", UNSOLD_SPOT), region=[SMALL]))

    assert baseline.cheapest_possible == pytest.approx(0.90)
    assert notices == (
        "No spot price is known for rare.1gpu in us-east-1: the baselines use on-demand there.",
    )


def test_a_type_whose_spot_price_is_above_on_demand_is_counted_on_demand() -> None:
    dear = offering("dear.1gpu", gpus=1, on_demand=1.0, spot=1.62)
    run = record(HOUR, pods=(pod("p", 0, 0, 0, HOUR),))

    baseline, notices = baselines_of(run, cluster(group("gpu-a", dear)))

    assert baseline.cheapest_possible == pytest.approx(1.0)
    assert baseline.cheapest_in_region == pytest.approx(1.0)
    assert notices == ()


def test_nothing_is_said_about_prices_when_no_gpu_was_held() -> None:
    baseline, notices = baselines_of(record(HOUR), cluster(group("gpu-a", UNSOLD_SPOT)))

    assert (baseline.cheapest_possible, baseline.cheapest_in_region, notices) == (0.0, 0.0, ())
    assert baseline.cheapest_in_region_types == ()


def test_the_minute_that_aws_bills_at_least_is_not_in_the_baselines() -> None:
    run = record(
        1000,
        instances=(instance("gpu-a", 0, None, node="ip-1"),),
        pods=(pod("p", 0, 0, 0, None, node="ip-1", outcome="running"),),
    )

    baseline, _ = baselines_of(run, cluster(group("gpu-a", SMALL)))

    assert baseline.always_on_on_demand == pytest.approx(1.0 / 3600)
    assert baseline.cheapest_possible == pytest.approx(0.4 / 3600)
