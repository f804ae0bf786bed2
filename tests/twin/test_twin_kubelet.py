"""Kubelet: images, their way and their time; admission before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from lowtide.model.kube import Container, PodSpec, Toleration
from lowtide.model.policy import Timings
from lowtide.model.quantity import CPU, MIB, NVIDIA_GPU
from lowtide.model.workload import BarePod, Meta, PriorityClass
from lowtide.twin import images
from lowtide.twin.admission import Denied, admit
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.rules import WorldRules
from lowtide.twin.world import World

SLOW = Timings(image_mib=600.0, image_pull_mib_per_s=60.0)
RunTo = Callable[[World, int], None]
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/train:1"


def bare(name: str, *images: str) -> BarePod:
    containers = tuple(Container(name=f"c{at}", image=one) for at, one in enumerate(images))
    template = PodSpec(requests={CPU: 100}, containers=containers)
    return BarePod(meta=Meta(kind="Pod", name=name), template=template)


def running_s(world: World, name: str) -> float | None:
    (found,) = [one for one in world.recorder.pod_usages() if one.name == name]
    return None if found.running_ms is None else found.running_ms / 1000


@pytest.fixture
def world(make_world: Callable[..., World], profiles: tuple[GroupProfile, ...]) -> World:
    """A world in which an unknown image is 600 MiB, a node pulls 60 MiB/s, and the nodes' zone has a NAT gateway."""
    made = make_world(profiles, WorldRules(timings=SLOW, nat_zones=("us-east-1a",)))
    made.start()
    return made


def test_a_pod_runs_after_its_image_was_pulled_and_its_container_started(
    world: World, run_to: RunTo
) -> None:
    world.apply((bare("one", "example.org/a:1"),))
    run_to(world, 60)
    assert running_s(world, "one") == 11
    (pull,) = world.recorder.transfers
    assert (pull.path, pull.bytes, pull.at_ms) == ("nat", 600 * MIB, 0)


def test_an_image_that_is_on_the_node_is_not_pulled_again(world: World, run_to: RunTo) -> None:
    world.apply((bare("one", "example.org/a:1"),))
    run_to(world, 60)
    world.apply((bare("two", "example.org/a:1"),))
    run_to(world, 120)
    assert running_s(world, "two") == 61
    assert len(world.recorder.transfers) == 1


def test_pods_that_need_the_same_image_wait_for_one_pull(world: World, run_to: RunTo) -> None:
    world.apply((bare("one", "example.org/a:1"), bare("two", "example.org/a:1")))
    run_to(world, 60)
    assert (running_s(world, "one"), running_s(world, "two")) == (11, 11)
    assert len(world.recorder.transfers) == 1


def test_a_node_pulls_one_image_after_the_other(world: World, run_to: RunTo) -> None:
    world.apply((bare("one", "example.org/a:1"), bare("two", "example.org/b:1")))
    run_to(world, 60)
    assert sorted((running_s(world, "one"), running_s(world, "two"))) == [11, 21]  # type: ignore[type-var] # both ran


def test_a_pod_with_two_images_waits_for_both(world: World, run_to: RunTo) -> None:
    world.apply((bare("one", "example.org/a:1", "example.org/b:1"),))
    run_to(world, 60)
    assert running_s(world, "one") == 21


@pytest.mark.parametrize(
    ("image", "nat_zones", "endpoint", "ways"),
    [
        ("example.org/a:1", "a", True, ("nat",)),
        ("public.ecr.aws/a/b:1", "a", True, ("nat",)),
        (ECR, "a", True, ("s3",)),
        (ECR, "a", False, ("nat",)),
        ("example.org/a:1", "b", True, ("nat", "cross-zone")),
        (ECR, "b", True, ("s3",)),
        ("example.org/a:1", "abc", True, ("nat",)),
        ("example.org/a:1", "", True, ()),
        (ECR, "", True, ("s3",)),
    ],
)
def test_what_a_pull_crosses_depends_on_registry_and_gateways(
    image: str, nat_zones: str, endpoint: bool, ways: tuple[str, ...]
) -> None:
    assert images.routes(image, "a", nat_zones=nat_zones, s3_gateway_endpoint=endpoint) == ways


def test_a_pull_through_a_gateway_in_another_zone_is_paid_twice(
    make_world: Callable[..., World], profiles: tuple[GroupProfile, ...], run_to: RunTo
) -> None:
    world = make_world(profiles, WorldRules(timings=SLOW, nat_zones=("us-east-1b",)))
    world.start()
    world.apply((bare("one", "example.org/a:1"),))
    run_to(world, 60)
    crossed = [(one.path, one.bytes) for one in world.recorder.transfers]
    assert crossed == [("nat", 600 * MIB), ("cross-zone", 600 * MIB)]


def test_a_node_with_a_public_address_pulls_without_a_priced_transfer(
    make_world: Callable[..., World], profiles: tuple[GroupProfile, ...], run_to: RunTo
) -> None:
    public = tuple(dataclasses.replace(one, private=False) for one in profiles)
    world = make_world(public, WorldRules(timings=SLOW, nat_zones=("us-east-1a",)))
    world.start()
    world.apply((bare("one", "example.org/a:1"),))
    run_to(world, 120)
    assert world.recorder.transfers == []


@pytest.mark.parametrize(
    "key",
    ["reg.example:5000/team/train:1.2", "reg.example:5000/team/train", "train"],
)
def test_an_image_size_is_found_with_and_without_tag_and_by_its_last_word(key: str) -> None:
    timings = Timings(image_sizes_mib={key: 7})
    assert images.size_bytes("reg.example:5000/team/train:1.2", timings) == 7 * MIB


def test_nobody_says_the_size_of_an_unknown_image() -> None:
    assert images.size_bytes("reg.example:5000/other", Timings()) is None


@pytest.mark.parametrize(
    "image",
    [
        "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni-init:v1.20.4-eksbuild.2",
        "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/aws-network-policy-agent:v1.2.7-eksbuild.1",
        "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/eks-pod-identity-agent:v0.1.10",
        "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/kube-proxy:v1.34.0-eksbuild.2",
    ],
)
def test_what_every_eks_node_pulls_is_small_and_known(image: str) -> None:
    size = images.size_bytes(image, Timings())
    assert size is not None
    assert 0 < size < 100 * MIB


GPU_POD = PodSpec(requests={NVIDIA_GPU: 1, CPU: 100})


def test_a_pod_that_asks_for_gpus_gets_their_toleration_where_the_plugin_is_on() -> None:
    admitted = admit(GPU_POD, (), extended_resource_toleration=True)
    assert isinstance(admitted, PodSpec)
    assert admitted.tolerations == (Toleration(key=NVIDIA_GPU, operator="Exists"),)


def test_without_the_admission_plugin_no_toleration_is_added() -> None:
    assert admit(GPU_POD, (), extended_resource_toleration=False) is GPU_POD


def test_a_pod_without_extended_resources_is_stored_as_it_is() -> None:
    spec = PodSpec(requests={CPU: 100})
    assert admit(spec, (), extended_resource_toleration=True) is spec


def test_the_default_priority_class_counts_for_pods_that_name_none() -> None:
    default = PriorityClass(meta=Meta(kind="PriorityClass", name="d"), value=3, is_default=True)
    admitted = admit(GPU_POD, (default,), extended_resource_toleration=False)
    assert isinstance(admitted, PodSpec)
    assert admitted.priority == 3


def test_system_priority_classes_exist_in_every_cluster() -> None:
    spec = PodSpec(priority_class="system-node-critical")
    admitted = admit(spec, (), extended_resource_toleration=True)
    assert isinstance(admitted, PodSpec)
    assert admitted.priority == 2_000_001_000


def test_an_unknown_priority_class_is_denied() -> None:
    denied = admit(PodSpec(priority_class="x"), (), extended_resource_toleration=True)
    assert isinstance(denied, Denied)


def test_a_gpu_pod_without_toleration_runs_with_admission_and_waits_without_it(
    make_world: Callable[..., World],
    profiles: tuple[GroupProfile, ...],
    run_to: RunTo,
) -> None:
    outcomes = []
    for admission in (True, False):
        rules = WorldRules(gpu_needs_plugin=False, extended_resource_toleration=admission)
        world = make_world(profiles, rules)
        world.start()
        world.set_desired("gpu-a", 1)
        world.apply((BarePod(meta=Meta(kind="Pod", name="smi"), template=GPU_POD),))
        run_to(world, 300)
        outcomes.append(world.recorder.pod_usages()[0].outcome)
    assert outcomes == ["running", "pending"]


def test_an_image_whose_size_is_a_guess_is_said_once(world: World, run_to: RunTo) -> None:
    world.apply((bare("one", "example.org/a:1"), bare("two", "example.org/a:1", "coredns:1")))
    run_to(world, 60)
    assert list(world.recorder.notices) == [
        "The size of the image example.org/a:1 is a guess, 600 MiB: set timings.imageSizesMiB in lowtide.yaml."
    ]
