"""Node deletions: taint first, wait, look again, drain within budgets, terminate, or give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lowtide.engine.options import AutoscalerOptions
from lowtide.model import names
from lowtide.model.decision import DeleteNode
from lowtide.model.kube import LabelSelector, PodSpec
from lowtide.model.quantity import CPU
from lowtide.model.workload import Budget, Meta, Replicated
from lowtide.twin.actuator import Actuator
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.world import World

MakeWorld = Callable[..., World]
RunTo = Callable[[World, int], None]
NODE = "general-001"


def web(replicas: int, spec: PodSpec) -> Replicated:
    return Replicated(meta=Meta(kind="ReplicaSet", name="web"), replicas=replicas, template=spec)


SPEC = PodSpec(labels={"app": "web"}, requests={CPU: 100})


@pytest.fixture
def world(make_world: MakeWorld, profiles: tuple[GroupProfile, ...]) -> World:
    general = profiles[0]
    two = replace(general, config=replace(general.config, desired=2))
    made = make_world((two,))
    made.start()
    return made


@pytest.fixture
def actuator(world: World) -> Actuator:
    return Actuator(world, world.kernel, AutoscalerOptions())


def command(world: World, *pods: str) -> DeleteNode:
    node = world.store.nodes[NODE]
    return DeleteNode(node=NODE, group="general", instance_id=node.instance_id, pods=pods)


def is_marked(world: World) -> bool:
    node = world.store.nodes.get(NODE)
    return (
        node is not None
        and node.unschedulable
        and names.TAINT_TO_BE_DELETED in {one.key for one in node.taints}
    )


def test_an_empty_node_is_marked_at_once_and_terminated_five_seconds_later(
    world: World, actuator: Actuator, run_to: RunTo
) -> None:
    actuator.start(command(world))
    assert is_marked(world)
    assert [one.node for one in actuator.running] == [NODE]
    run_to(world, 4)
    assert world.capacity.state.groups["general"].live == 2
    run_to(world, 5)
    assert world.capacity.state.groups["general"].live == 1
    assert [(one.ok, one.ended_ms) for one in actuator.take_results()] == [(True, 5000)]
    assert (actuator.running, actuator.take_results()) == ((), ())


def test_an_empty_node_that_got_a_pod_meanwhile_is_kept(
    world: World, actuator: Actuator, run_to: RunTo
) -> None:
    world.apply([web(40, SPEC)])  # fills both nodes before the mark is looked at again
    run_to(world, 1)
    actuator.start(command(world))
    run_to(world, 7)
    (result,) = actuator.take_results()
    assert (result.ok, result.reason) == (False, "node is not empty")
    assert not is_marked(world)
    assert world.capacity.state.groups["general"].live == 2


def test_a_drained_node_goes_when_its_pods_have_ended(
    world: World, actuator: Actuator, run_to: RunTo
) -> None:
    world.apply([web(2, SPEC)])
    run_to(world, 60)
    here = [pod.key for pod in world.store.pods_on(NODE)]
    actuator.start(command(world, *here))
    assert actuator.running[0].drain
    run_to(world, 80)
    (result,) = actuator.take_results()
    assert result.ok
    assert not any(key in world.store.pods for key in here)


def test_a_budget_that_allows_nothing_keeps_the_node(
    world: World, actuator: Actuator, run_to: RunTo
) -> None:
    budget = Budget(
        meta=Meta(kind="PodDisruptionBudget", name="web"),
        selector=LabelSelector(),
        max_unavailable=0,
    )
    world.apply([web(2, SPEC), budget])
    run_to(world, 60)
    actuator.start(command(world, *(pod.key for pod in world.store.pods_on(NODE))))
    run_to(world, 70)
    (result,) = actuator.take_results()
    assert "not enough pod disruption budget" in result.reason
    assert not is_marked(world)


def test_evictions_over_budget_are_tried_again_until_two_minutes_are_over(
    world: World, actuator: Actuator, run_to: RunTo
) -> None:
    """One of two pods may go; its replacement never runs, so the second eviction is refused for good."""
    world.apply([web(2, replace(SPEC, node_selector={names.HOSTNAME: NODE}))])
    run_to(world, 60)
    here = [pod.key for pod in world.store.pods_on(NODE)]
    assert len(here) == 2
    budget = Budget(
        meta=Meta(kind="PodDisruptionBudget", name="web"),
        selector=LabelSelector(),
        min_available=1,
    )
    world.apply([budget])
    actuator.start(command(world, *here))
    run_to(world, 120)
    assert actuator.take_results() == ()
    run_to(world, 200)
    (result,) = actuator.take_results()
    assert "was refused for too long" in result.reason
    assert not is_marked(world)


def test_a_node_that_vanished_is_no_deletion_of_ours(
    world: World, actuator: Actuator, run_to: RunTo
) -> None:
    order = command(world)
    actuator.start(order)
    world.store.remove_node(NODE)
    run_to(world, 7)
    (result,) = actuator.take_results()
    assert (result.ok, result.reason) == (False, "node is gone")


def test_a_stopped_autoscaler_leaves_its_mark_and_does_no_more(
    world: World, actuator: Actuator, run_to: RunTo
) -> None:
    actuator.start(command(world))
    actuator.stopped = True
    run_to(world, 60)
    assert is_marked(world)
    assert world.capacity.state.groups["general"].live == 2


def test_a_node_whose_termination_aws_refuses_is_given_back(
    make_world: MakeWorld, profiles: tuple[GroupProfile, ...], run_to: RunTo
) -> None:
    general = profiles[0]
    at_minimum = replace(general, config=replace(general.config, desired=2, min_size=2))
    world = make_world((at_minimum,))
    world.start()
    actuator = Actuator(world, world.kernel, AutoscalerOptions())
    actuator.start(command(world))
    run_to(world, 5)
    (result,) = actuator.take_results()
    assert (result.ok, result.refused) == (False, True)
    assert not is_marked(world)
    assert world.capacity.state.groups["general"].live == 2
    assert [(one.action, one.why[:12]) for one in world.recorder.decisions[-1:]] == [
        ("kept a node after all", "AWS refuses:")
    ]
