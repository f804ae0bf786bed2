"""Pods, waits, nodes and GPU-hours by their definitions."""

from __future__ import annotations

import pytest

from lowtide.explain.usage import gpu_hours, node_counts, pod_counts, waits
from lowtide.model.simulation import NodeCounts, PodCounts, Waits
from tests.explain.records import (
    HOUR,
    MINUTE,
    SMALL,
    cluster,
    general_group,
    general_instance,
    group,
    instance,
    pod,
    record,
)

CLUSTER = cluster(general_group(), group("gpu-a", SMALL), group("gpu-b", SMALL))


def test_a_pod_holds_its_gpus_from_binding_to_its_end() -> None:
    hours = gpu_hours(
        record(
            HOUR,
            instances=(instance("gpu-a", 0, None), instance("gpu-a", 0, None)),
            # Bound at 10 min, running at 15, ended at 40: 30 minutes held.
            # Bound at 30 min with 2 GPUs and alive at the end: 2 x 30 minutes.
            pods=(
                pod("a", 0, 10 * MINUTE, 15 * MINUTE, 40 * MINUTE),
                pod("b", 0, 30 * MINUTE, 31 * MINUTE, None, gpus=2, outcome="running"),
            ),
        )
    )

    assert hours.requested == pytest.approx(0.5 + 1.0)
    assert hours.billed == pytest.approx(2.0)
    assert hours.utilization == pytest.approx(0.75)
    assert hours.unmet == 0.0


def test_nothing_is_held_on_a_node_that_ec2_no_longer_charges_for() -> None:
    node = instance("gpu-a", 0, 31 * MINUTE, terminating_ms=30 * MINUTE, node="ip-1")

    hours = gpu_hours(
        record(
            HOUR,
            instances=(node,),
            pods=(
                pod("a", 0, 0, 0, 31 * MINUTE, node="ip-1", outcome="lost"),
                pod("late", 0, 30 * MINUTE + 10_000, None, 31 * MINUTE, node="ip-1"),
            ),
        )
    )

    assert hours.billed == pytest.approx(0.5)
    assert hours.requested == pytest.approx(0.5)


def test_gpus_that_were_asked_for_in_vain_are_unmet_until_the_pod_ends() -> None:
    hours = gpu_hours(
        record(
            HOUR,
            pods=(
                pod("waits", 15 * MINUTE, outcome="pending", gpus=4),  # 4 x 45 min
                pod("gave-up", 0, None, None, 30 * MINUTE, outcome="cancelled"),  # 30 min
                pod("served-late", 0, 50 * MINUTE, 51 * MINUTE, 60 * MINUTE),
            ),
        )
    )

    assert hours.unmet == pytest.approx(3.0 + 0.5)


def test_a_bound_pod_that_never_ran_is_unmet_before_binding_and_held_after() -> None:
    hours = gpu_hours(record(HOUR, pods=(pod("stuck", 0, 20 * MINUTE, None, 50 * MINUTE),)))

    assert hours.unmet == pytest.approx(20 / 60)
    assert hours.requested == pytest.approx(30 / 60)


def test_utilization_without_gpu_nodes_is_zero() -> None:
    assert gpu_hours(record(HOUR, instances=(general_instance(),))).utilization == 0.0


def test_waits_are_nearest_rank_over_the_pods_that_ran() -> None:
    # 1..100 seconds, and one pod that never ran.
    pods = [pod(str(n), 1000, 1000, 1000 + n * 1000) for n in range(1, 101)]
    pods.append(pod("never", 0, outcome="pending"))

    assert waits(pods) == Waits(mean=50.5, p50=50.0, p95=95.0, p99=99.0, max=100.0)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], Waits(mean=0.0, p50=0.0, p95=0.0, p99=0.0, max=0.0)),
        ([7], Waits(mean=7.0, p50=7.0, p95=7.0, p99=7.0, max=7.0)),
        ([4, 1, 2], Waits(mean=7 / 3, p50=2.0, p95=4.0, p99=4.0, max=4.0)),
    ],
)
def test_waits_of_few_pods_are_waits_of_real_pods(seconds: list[int], expected: Waits) -> None:
    assert waits([pod(str(n), 0, 0, n * 1000) for n in seconds]) == expected


def test_pods_are_counted_by_how_they_stand_at_the_end_and_lost_ones_not_at_all() -> None:
    outcomes = (
        ["finished"] * 4 + ["stopped"] * 3 + ["running"] * 2 + ["pending", "cancelled", "lost"]
    )
    pods = [pod(str(n), 0, outcome=outcome) for n, outcome in enumerate(outcomes)]

    assert pod_counts(pods, ()) == PodCounts(
        total=11, finished=4, stopped=3, running=2, pending=1, cancelled=1, refused=()
    )


def test_nodes_are_counted_at_their_peak_and_at_the_end() -> None:
    counts = node_counts(
        record(
            HOUR,
            instances=(
                general_instance(),
                general_instance(0, 10 * MINUTE),
                instance("gpu-a", 0, 20 * MINUTE),
                # Starts the moment the first one ends: never two at once.
                instance("gpu-b", 20 * MINUTE, 40 * MINUTE),
                instance("gpu-a", 25 * MINUTE, None),
                instance("gpu-a", 50 * MINUTE, HOUR),
            ),
        ),
        CLUSTER,
    )

    assert counts == NodeCounts(gpu_peak=2, gpu_final=1, gpu_launched=4, general_peak=2)
