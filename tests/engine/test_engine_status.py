"""What the autoscaler says of itself: health, counts and activity of cluster and groups."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lowtide.engine.autoscaler import autoscale
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.status import AutoscalerStatus, NodeCounts, status
from lowtide.model.asg import ScalingActivity
from lowtide.model.kube import Node
from lowtide.model.quantity import NVIDIA_GPU
from tests.engine.worlds import (
    OPTIONS,
    ZONES,
    gpu_node,
    node,
    pods,
    snapshot,
    with_nodes,
)


def bare(name: str, **changes: object) -> Node:
    """A labelled GPU node that says Ready and never offered its GPU."""
    made = gpu_node(name)
    amounts = {key: value for key, value in made.allocatable.items() if key != NVIDIA_GPU}
    return replace(made, allocatable=amounts, **changes)  # type: ignore[arg-type] # tests name real fields


def after_a_loop(**fields: object) -> AutoscalerStatus:
    world = snapshot(**fields)
    _, memory = autoscale(world, AutoscalerMemory(), OPTIONS)
    return status(world, memory, OPTIONS)


def test_a_node_whose_gpu_never_came_counts_as_unready_for_want_of_a_resource() -> None:
    nodes = (bare("a"), replace(gpu_node("b"), ready=False))
    found = after_a_loop(nodes=(node("general"), *nodes), groups=(with_nodes(ZONES[0], nodes),))
    assert found.counts == NodeCounts(registered=3, ready=1, unready=2, resource_unready=1)
    (of_group,) = found.groups
    assert of_group.counts == NodeCounts(registered=2, unready=2, resource_unready=1)


def test_a_young_node_without_its_gpu_has_not_started_and_is_not_unready() -> None:
    young = (bare("a", created_ms=0),)
    found = after_a_loop(nodes=(node("general"), *young), groups=(with_nodes(ZONES[0], young),))
    assert found.counts == NodeCounts(registered=2, ready=1, not_started=1)


@pytest.mark.parametrize(("lost", "healthy"), [(3, True), (4, False)])
def test_a_cluster_is_unhealthy_above_three_unready_nodes_and_45_percent(
    lost: int, healthy: bool
) -> None:
    nodes = tuple(bare(f"gpu-{index}") for index in range(lost))
    found = after_a_loop(nodes=(node("general"), *nodes), groups=(with_nodes(ZONES[0], nodes),))
    assert found.healthy is healthy


def test_a_group_that_grows_is_in_progress_and_one_that_failed_is_in_backoff() -> None:
    asked = snapshot(nodes=(node("general"),), pods=pods(1), groups=ZONES[:1])
    _, memory = autoscale(asked, AutoscalerMemory(), OPTIONS)
    assert status(asked, memory, OPTIONS).groups[0].scale_up == "InProgress"
    failure = ScalingActivity(start_ms=60_000, failed=True, description="no capacity")
    later = replace(
        asked,
        now_ms=95_000,
        groups=(replace(ZONES[0], desired=1, activities=(failure,)),),
    )
    _, memory = autoscale(later, memory, OPTIONS)
    found = status(later, memory, OPTIONS).groups[0]
    assert (found.scale_up, found.backoff_code) == ("Backoff", "placeholder-cannot-be-fulfilled")


def test_a_group_whose_nodes_did_not_come_in_time_says_how_long_it_was_waited_for() -> None:
    asked = snapshot(nodes=(node("general"),), pods=pods(1), groups=ZONES[:1])
    _, memory = autoscale(asked, AutoscalerMemory(), OPTIONS)
    later = replace(asked, now_ms=31_000 + 905_250, groups=(replace(ZONES[0], desired=1),))
    decision, memory = autoscale(later, memory, OPTIONS)
    found = status(later, memory, OPTIONS).groups[0]
    assert found.backoff_code == "timeout"
    assert found.backoff_message == "Scale-up timed out for node group gpu-a after 15m5.25s"
    (timed_out,) = (one for one in decision.events if one.reason == "ScaleUpTimedOut")
    assert timed_out.message == "Nodes added to group gpu-a failed to register within 15m5.25s"
