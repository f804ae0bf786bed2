"""A small cluster for the twin's tests: one general group, three one-GPU spot groups, one per zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lowtide.cloud.groups import GroupConfig, Offer
from lowtide.model.asg import InstanceShape
from lowtide.model.kube import (
    Affinity,
    Container,
    NodeSelectorTerm,
    PodSpec,
    Requirement,
    Taint,
    Toleration,
)
from lowtide.model.names import (
    ACCELERATOR,
    SYSTEM_NAMESPACE,
    TAG_ENABLED,
    TAG_LABEL_PREFIX,
    TAG_TAINT_PREFIX,
)
from lowtide.model.policy import Timings
from lowtide.model.quantity import CPU, GIB, MEMORY, NVIDIA_GPU, PODS
from lowtide.model.workload import DaemonSet, Meta, Replicated
from lowtide.twin.kernel import Kernel
from lowtide.twin.profiles import GroupProfile, NodeProfile
from lowtide.twin.rules import WorldRules
from lowtide.twin.world import MakeLoop, World

TIMINGS = Timings(
    image_mib=600.0, image_sizes_mib={"example.org/train": 600.0}, image_pull_mib_per_s=60.0
)
GPU_TAINT = Taint(key=NVIDIA_GPU, value="true")


def gpu_profile(
    zone: str, *, minimum: int = 0, maximum: int = 10, desired: int = 0
) -> GroupProfile:
    capacity = {CPU: 4000, MEMORY: 16 * GIB, PODS: 29, NVIDIA_GPU: 1}
    return GroupProfile(
        config=GroupConfig(
            name=f"gpu-{zone}",
            min_size=minimum,
            max_size=maximum,
            desired=desired,
            zones=(f"us-east-1{zone}",),
            offers=(
                Offer(
                    instance_type="g4dn.xlarge",
                    on_demand_usd_per_hour=0.526,
                    spot_usd_per_hour=0.2,
                ),
            ),
            tags={
                TAG_ENABLED: "true",
                f"{TAG_LABEL_PREFIX}{ACCELERATOR}": "nvidia-tesla-t4",
                f"{TAG_LABEL_PREFIX}lowtide.dev/pool": "gpu",
                f"{TAG_TAINT_PREFIX}{NVIDIA_GPU}": "true:NoSchedule",
            },
            shapes=(
                InstanceShape(name="g4dn.xlarge", vcpu=4, memory_mib=16384, gpu=1, arch="amd64"),
            ),
            on_demand_percent=0,
            spot_launch_ms=15_000,
            on_demand_launch_ms=10_000,
            terminate_ms=60_000,
        ),
        nodes={
            "g4dn.xlarge": NodeProfile(
                capacity=capacity, allocatable={**capacity, CPU: 3900, MEMORY: 14 * GIB}
            )
        },
        region="us-east-1",
        labels={ACCELERATOR: "nvidia-tesla-t4", "lowtide.dev/pool": "gpu"},
        taints=(GPU_TAINT,),
        register_ms=60_000,
        ready_ms=10_000,
    )


def general_profile(*, desired: int = 1) -> GroupProfile:
    capacity = {CPU: 2000, MEMORY: 8 * GIB, PODS: 29}
    return GroupProfile(
        config=GroupConfig(
            name="general",
            min_size=1,
            max_size=3,
            desired=desired,
            zones=("us-east-1a",),
            offers=(Offer(instance_type="m5.large", on_demand_usd_per_hour=0.096),),
            tags={TAG_ENABLED: "true"},
            shapes=(InstanceShape(name="m5.large", vcpu=2, memory_mib=8192, gpu=0, arch="amd64"),),
            on_demand_launch_ms=10_000,
            terminate_ms=60_000,
        ),
        nodes={"m5.large": NodeProfile(capacity=capacity, allocatable={**capacity, CPU: 1930})},
        region="us-east-1",
        labels={},
        taints=(),
        register_ms=45_000,
        ready_ms=10_000,
    )


@pytest.fixture
def profiles() -> tuple[GroupProfile, ...]:
    """The general group and a GPU group in each of three zones."""
    return (general_profile(), *(gpu_profile(zone) for zone in "abc"))


@pytest.fixture
def make_gpu_profile() -> Callable[..., GroupProfile]:
    """A function from a zone and sizes to a GPU group."""
    return gpu_profile


@pytest.fixture
def make_world() -> Callable[..., World]:
    """A function from groups and rules to a world that has not started."""

    def make(
        profiles: tuple[GroupProfile, ...],
        rules: WorldRules | None = None,
        make_loop: MakeLoop | None = None,
    ) -> World:
        rules = rules or WorldRules(timings=TIMINGS)
        return World(Kernel(rules.start_ms), profiles, rules, make_loop)

    return make


@pytest.fixture
def run_to() -> Callable[[World, int], None]:
    """A function that lets a world's time pass up to and with a second."""

    def run(world: World, seconds: int) -> None:
        kernel = world.kernel
        while (due := kernel.next_ms) is not None and due <= seconds * 1000:
            kernel.step()
            if kernel.next_ms != kernel.now_ms:
                world.end_instant()
        kernel.now_ms = seconds * 1000

    return run


@pytest.fixture
def plugin() -> DaemonSet:
    """The device plugin: tolerates the GPU taint, runs where the accelerator label is."""
    here = Requirement(key=ACCELERATOR, operator="Exists")
    return DaemonSet(
        meta=Meta(kind="DaemonSet", name="nvidia-device-plugin", namespace=SYSTEM_NAMESPACE),
        template=PodSpec(
            tolerations=(Toleration(key=NVIDIA_GPU, operator="Exists"),),
            affinity=Affinity(node_required=(NodeSelectorTerm(expressions=(here,)),)),
            containers=(Container(image="nvcr.io/nvidia/k8s-device-plugin:v0.17.4"),),
        ),
    )


@pytest.fixture
def make_deployment() -> Callable[..., Replicated]:
    """A function from a number of replicas to a Deployment whose pods ask for one GPU each."""

    def make(replicas: int, *, name: str = "cuda", gpus: int = 1, **spec: Any) -> Replicated:
        requests = {CPU: 500, MEMORY: GIB, **({NVIDIA_GPU: gpus} if gpus else {})}
        template = PodSpec(
            labels={"app": name},
            requests=requests,
            containers=(Container(image="example.org/train:1"),),
            **spec,
        )
        return Replicated(
            meta=Meta(kind="Deployment", name=name), replicas=replicas, template=template
        )

    return make


@pytest.fixture
def autoscaler() -> Replicated:
    """The autoscaler's Deployment, as far as the twin reads it."""
    return Replicated(
        meta=Meta(kind="Deployment", name="cluster-autoscaler", namespace=SYSTEM_NAMESPACE),
        replicas=1,
        template=PodSpec(
            requests={CPU: 100, MEMORY: GIB // 2},
            containers=(
                Container(
                    image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1",
                    command=(
                        "./cluster-autoscaler",
                        "--cloud-provider=aws",
                        f"--node-group-auto-discovery=asg:tag={TAG_ENABLED}",
                        "--balance-similar-node-groups",
                        "--balancing-label=lowtide.dev/pool",
                        "--skip-nodes-with-system-pods=false",
                    ),
                ),
            ),
        ),
    )


@pytest.fixture
def system(autoscaler: Replicated, plugin: DaemonSet) -> tuple[Replicated | DaemonSet, ...]:
    """What `lowtide up` would install."""
    return (autoscaler, plugin)
