"""From an instance to a node with GPUs, and its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from lowtide.model.kube import Node
from lowtide.model.names import ACCELERATOR, HOSTNAME, INSTANCE_TYPE, REGION, TAINT_NOT_READY, ZONE
from lowtide.model.quantity import NVIDIA_GPU
from lowtide.model.workload import DaemonSet, Replicated
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.recorder import instance_usage
from lowtide.twin.rules import WorldRules
from lowtide.twin.world import World

MakeWorld = Callable[..., World]
RunTo = Callable[[World, int], None]

# 15 s launch, 60 s to register, 10 s to Ready, the plugin 2 s to pull, 1 s to start, 5 s to register.
REGISTERED_S, READY_S, GPU_S = 75, 85, 93


@pytest.fixture
def world(make_world: MakeWorld, profiles: tuple[GroupProfile, ...], plugin: DaemonSet) -> World:
    """A world with the device plugin in which one GPU instance was just asked for."""
    made = make_world(profiles)
    made.start()
    made.apply((plugin,))
    assert made.set_desired("gpu-a", 1) is None
    return made


def node(world: World) -> Node:
    return world.store.nodes["gpu-a-001"]


def test_a_node_registers_not_ready_with_its_taints_labels_and_no_gpu(
    world: World, run_to: RunTo
) -> None:
    run_to(world, REGISTERED_S - 1)
    assert "gpu-a-001" not in world.store.nodes
    run_to(world, REGISTERED_S)
    new = node(world)
    assert not new.ready
    assert [str(one) for one in new.taints] == [
        "nvidia.com/gpu=true:NoSchedule",
        f"{TAINT_NOT_READY}:NoSchedule",
    ]
    assert NVIDIA_GPU not in new.capacity
    assert NVIDIA_GPU not in new.allocatable
    expected = {
        HOSTNAME: "gpu-a-001",
        INSTANCE_TYPE: "g4dn.xlarge",
        ZONE: "us-east-1a",
        REGION: "us-east-1",
        ACCELERATOR: "nvidia-tesla-t4",
    }
    assert {key: new.labels[key] for key in expected} == expected


def test_a_ready_node_loses_the_not_ready_taint_and_keeps_the_groups(
    world: World, run_to: RunTo
) -> None:
    run_to(world, READY_S)
    assert node(world).ready
    assert node(world).ready_since_ms == READY_S * 1000
    assert [one.key for one in node(world).taints] == [NVIDIA_GPU]


def test_gpus_appear_only_once_the_device_plugin_runs_and_has_registered(
    world: World, run_to: RunTo
) -> None:
    run_to(world, GPU_S - 1)
    assert NVIDIA_GPU not in node(world).allocatable
    assert world.nodes.serving["gpu-a"] == 0
    run_to(world, GPU_S)
    assert node(world).allocatable[NVIDIA_GPU] == 1
    assert world.nodes.serving["gpu-a"] == 1


def test_without_a_device_plugin_a_node_never_offers_gpus(
    make_world: MakeWorld, profiles: tuple[GroupProfile, ...], run_to: RunTo
) -> None:
    world = make_world(profiles)
    world.start()
    world.set_desired("gpu-a", 1)
    run_to(world, 3600)
    assert node(world).ready
    assert NVIDIA_GPU not in node(world).allocatable
    assert world.nodes.serving["gpu-a"] == 0


def test_a_device_plugin_that_does_not_tolerate_the_taint_never_lands(
    make_world: MakeWorld, profiles: tuple[GroupProfile, ...], plugin: DaemonSet, run_to: RunTo
) -> None:
    world = make_world(profiles)
    world.start()
    strict = dataclasses.replace(plugin.template, tolerations=())
    world.apply((dataclasses.replace(plugin, template=strict),))
    world.set_desired("gpu-a", 1)
    run_to(world, 600)
    assert world.store.pods_on("gpu-a-001") == []
    assert NVIDIA_GPU not in node(world).allocatable


def test_when_the_plugin_goes_the_node_has_no_allocatable_gpu_left(
    world: World, plugin: DaemonSet, run_to: RunTo
) -> None:
    run_to(world, GPU_S)
    world.delete(plugin.meta)
    run_to(world, GPU_S + 5)
    assert node(world).allocatable[NVIDIA_GPU] == 0
    assert node(world).capacity[NVIDIA_GPU] == 1
    assert world.nodes.serving["gpu-a"] == 0


def test_a_terminating_node_stays_ready_until_its_instance_is_gone(
    world: World, run_to: RunTo
) -> None:
    run_to(world, GPU_S)
    assert world.terminate_instance("gpu-a", node(world).instance_id) is None
    run_to(world, GPU_S + 59)
    assert node(world).ready
    run_to(world, GPU_S + 60)
    assert "gpu-a-001" not in world.store.nodes
    assert world.nodes.serving["gpu-a"] == 0


def test_the_moment_in_which_an_instance_begins_to_shut_down_is_recorded(
    world: World, run_to: RunTo
) -> None:
    run_to(world, GPU_S)
    world.terminate_instance("gpu-a", node(world).instance_id)
    run_to(world, GPU_S + 60)
    usage = instance_usage(world.nodes.by_node["gpu-a-001"])
    assert (usage.terminating_ms, usage.ended_ms) == (GPU_S * 1000, (GPU_S + 60) * 1000)
    assert usage.metered_until_ms == GPU_S * 1000


def test_a_notice_does_not_stop_the_meter_the_end_does(world: World, run_to: RunTo) -> None:
    run_to(world, GPU_S)
    instance_id = world.interrupt("gpu-a")
    assert instance_id is not None
    run_to(world, GPU_S + 120)
    usage = instance_usage(world.nodes.machines[instance_id])
    assert (usage.interrupted, usage.terminating_ms) == (True, None)
    assert usage.metered_until_ms == usage.ended_ms == (GPU_S + 120) * 1000


def test_an_instance_that_was_terminated_under_notice_was_not_interrupted(
    world: World, run_to: RunTo
) -> None:
    run_to(world, GPU_S)
    instance_id = world.interrupt("gpu-a")
    assert instance_id is not None
    run_to(world, GPU_S + 90)
    world.terminate_instance("gpu-a", instance_id)
    run_to(world, GPU_S + 300)
    usage = instance_usage(world.nodes.machines[instance_id])
    assert (usage.interrupted, usage.ended_ms) == (False, (GPU_S + 150) * 1000)


def test_pods_on_a_node_that_vanishes_are_lost_and_made_again(
    world: World, make_deployment: Callable[..., Replicated], run_to: RunTo
) -> None:
    world.apply((make_deployment(1),))
    run_to(world, 150)
    assert world.store.pods["default/cuda-001"].node_name == "gpu-a-001"
    world.interrupt("gpu-a")
    run_to(world, 270)
    assert "default/cuda-001" not in world.store.pods
    assert world.store.pods["default/cuda-002"].node_name is None
    assert world.recorder.pod_usages()[0].outcome == "lost"


def test_an_instance_terminated_before_it_registers_never_becomes_a_node(
    world: World, run_to: RunTo
) -> None:
    run_to(world, 40)
    (instance,) = world.capacity.state.groups["gpu-a"].instances
    world.terminate_instance("gpu-a", instance.id)
    run_to(world, 600)
    assert world.nodes.machines[instance.id].ended_ms == 100_000
    assert "gpu-a-001" not in world.store.nodes


def test_an_interrupted_instance_is_replaced_and_counted(world: World, run_to: RunTo) -> None:
    run_to(world, GPU_S)
    instance_id = world.interrupt("gpu-a")
    assert instance_id is not None
    run_to(world, GPU_S + 119)
    assert "gpu-a-001" in world.store.nodes
    run_to(world, GPU_S + 120 + READY_S)
    assert world.nodes.machines[instance_id].interrupted
    assert world.store.nodes["gpu-a-002"].ready


def test_initial_nodes_are_ready_and_an_hour_old(
    make_world: MakeWorld, profiles: tuple[GroupProfile, ...]
) -> None:
    world = make_world(profiles)
    world.start()
    general = world.store.nodes["general-001"]
    assert general.ready
    assert general.created_ms == -3_600_000


def test_what_is_installed_at_the_start_has_long_settled(
    make_world: MakeWorld,
    make_gpu_profile: Callable[..., GroupProfile],
    plugin: DaemonSet,
    run_to: RunTo,
) -> None:
    world = make_world((make_gpu_profile("a", desired=1),))
    world.start((plugin,))
    run_to(world, 0)
    assert node(world).allocatable[NVIDIA_GPU] == 1
    assert world.recorder.transfers == []


def test_where_no_plugin_is_needed_gpus_come_with_ready_or_after_the_groups_delay(
    make_world: MakeWorld, make_gpu_profile: Callable[..., GroupProfile], run_to: RunTo
) -> None:
    late = dataclasses.replace(make_gpu_profile("a"), gpu_ms=30_000)
    world = make_world((late, make_gpu_profile("b")), WorldRules(gpu_needs_plugin=False))
    world.start()
    world.set_desired("gpu-a", 1)
    world.set_desired("gpu-b", 1)
    run_to(world, READY_S)
    assert NVIDIA_GPU not in node(world).allocatable
    assert world.store.nodes["gpu-b-001"].allocatable[NVIDIA_GPU] == 1
    run_to(world, READY_S + 30)
    assert node(world).allocatable[NVIDIA_GPU] == 1


def test_an_image_with_its_own_plugin_offers_gpus_beside_one_that_waits_for_a_pod(
    make_world: MakeWorld, make_gpu_profile: Callable[..., GroupProfile], run_to: RunTo
) -> None:
    own = dataclasses.replace(make_gpu_profile("a"), own_plugin=True, gpu_ms=5000)
    world = make_world((own, make_gpu_profile("b")))
    world.start()
    world.set_desired("gpu-a", 1)
    world.set_desired("gpu-b", 1)
    run_to(world, READY_S)
    assert NVIDIA_GPU not in node(world).allocatable
    run_to(world, READY_S + 5)
    assert node(world).allocatable[NVIDIA_GPU] == 1
    assert NVIDIA_GPU not in world.store.nodes["gpu-b-001"].allocatable


def test_a_pod_of_the_plugin_takes_nothing_from_an_image_that_has_its_own(
    make_world: MakeWorld,
    make_gpu_profile: Callable[..., GroupProfile],
    plugin: DaemonSet,
    run_to: RunTo,
) -> None:
    own = dataclasses.replace(make_gpu_profile("a", desired=1), own_plugin=True)
    world = make_world((own,))
    world.start((plugin,))
    run_to(world, 0)
    assert node(world).allocatable[NVIDIA_GPU] == 1
    assert world.delete(plugin.meta)
    run_to(world, 60)
    assert node(world).allocatable[NVIDIA_GPU] == 1
